#!/usr/bin/env python3
"""Upgrades the nodes of a real cluster on loopback, one after the other, under load; nothing may be dropped.

Clients with keep-alive, clients that connect anew each time, WebSockets, long downloads and uploads go on all the time,
at the virtual address; then at three addresses that are spread over the nodes. Then with programs that can not take
over: the running node has to go on.
"""

import argparse
import asyncio
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

DIRECTORY = tempfile.mkdtemp(prefix="gwnode-upgrade-")
DOWNLOAD_PIECE = bytes(range(256)) * 4


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class Failed(Exception):
    pass


class Backend:
    """Answers requests, echoes what comes after an upgrade, and sends and takes long bodies slowly."""

    async def start(self, host, port):
        self.server = await asyncio.start_server(self.serve, host, port)

    async def serve(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                lines = head.split("\r\n")
                method, path, _ = lines[0].split(" ")
                fields = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:] if line)}
                if "upgrade" in fields:
                    writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
                    while data := await reader.read(65536):
                        writer.write(data)
                    break
                if path.startswith("/long/"):
                    pieces = int(path.split("/")[2])
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (pieces * len(DOWNLOAD_PIECE)))
                    for _ in range(pieces):
                        writer.write(DOWNLOAD_PIECE)
                        await writer.drain()
                        await asyncio.sleep(0.02)
                    continue
                body = await reader.readexactly(int(fields.get("content-length", 0)))
                text = f"{method} {path} {len(body)}".encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()


class Load:
    def __init__(self, host, port):
        self.host, self.port = host, port
        self.counts = dict(kept=0, fresh=0, echoes=0, downloads=0, uploads=0, reconnects=0, begun=0)
        self.failures = []
        self.longest_gap = 0.0
        self.last = None
        self.stopping = False
        self.tasks = []

    def fail(self, what, error):
        self.failures.append(f"{time.monotonic():.3f} {what}: {type(error).__name__} {error}")

    async def begin(self, cluster, kept=12, fresh=2, sockets=8, downloads=4, uploads=2):
        """Returns when each kind of load is under way."""
        for index in range(kept):
            self.spawn(self.keep_alive(index))
        for index in range(fresh):
            self.spawn(self.connect_anew(index))
        for index in range(sockets):
            self.spawn(self.echo(index))
        for index in range(downloads):
            self.spawn(self.download(index))
        for index in range(uploads):
            self.spawn(self.upload(index))

        async def is_under_way():
            least = dict(kept=kept, fresh=fresh, echoes=sockets, begun=downloads + uploads)
            return self.failures or all(self.counts[kind] >= count for kind, count in least.items())

        await cluster.wait(is_under_way, "the load is under way")

    def spawn(self, body):
        self.tasks.append(asyncio.create_task(body))

    async def end(self):
        self.stopping = True
        await asyncio.wait_for(asyncio.gather(*self.tasks), 60)

    async def open(self):
        return await asyncio.wait_for(asyncio.open_connection(self.host, self.port), 10)

    async def ask(self, reader, writer, method, path, body=b""):
        writer.write(f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
        lines = head.decode().split("\r\n")
        fields = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:] if line)}
        answer = await asyncio.wait_for(reader.readexactly(int(fields["content-length"])), 60)
        if " 200 " not in lines[0]:
            raise Failed(f"{lines[0]} {answer[:80]}")
        return answer, fields.get("connection", "").lower() == "close"

    def note(self):
        now = time.monotonic()
        if self.last is not None:
            self.longest_gap = max(self.longest_gap, now - self.last)
        self.last = now

    async def keep_alive(self, index):
        reader = writer = None
        number = 0
        while not self.stopping:
            number += 1
            try:
                if writer is None:
                    reader, writer = await self.open()
                path = f"/kept/{index}/{number}"
                answer, ends = await self.ask(reader, writer, "GET", path)
                if answer != f"GET {path} 0".encode():
                    raise Failed(f"the answer to another request: {answer[:80]}")
                self.counts["kept"] += 1
                if ends:
                    self.counts["reconnects"] += 1
                    writer.close()
                    writer = None
            except Exception as error:
                self.fail("a kept connection", error)
                writer = None
            await asyncio.sleep(random.choice([0, 0.002, 0.01, 0.1]))

    async def connect_anew(self, index):
        while not self.stopping:
            try:
                reader, writer = await self.open()
                await self.ask(reader, writer, "GET", f"/fresh/{index}")
                writer.close()
                self.counts["fresh"] += 1
                self.note()
            except Exception as error:
                self.fail("a new connection", error)
            await asyncio.sleep(0.005)

    async def echo(self, index):
        try:
            reader, writer = await self.open()
            writer.write(b"GET /socket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
            if b" 101 " not in head:
                raise Failed(head[:60])
            number = 0
            while not self.stopping:
                number += 1
                message = b"%04d %012d\n" % (index, number)
                writer.write(message)
                if await asyncio.wait_for(reader.readexactly(len(message)), 20) != message:
                    raise Failed("another echo")
                self.counts["echoes"] += 1
                await asyncio.sleep(0.02)
            writer.close()
        except Exception as error:
            self.fail(f"WebSocket {index}", error)

    async def download(self, index):
        while not self.stopping:
            pieces = 200 if index else 40
            try:
                reader, writer = await self.open()
                self.counts["begun"] += 1
                answer, _ = await self.ask(reader, writer, "GET", f"/long/{pieces}")
                if answer != DOWNLOAD_PIECE * pieces:
                    raise Failed("other bytes")
                self.counts["downloads"] += 1
                writer.close()
            except Exception as error:
                self.fail("a download", error)

    async def upload(self, index):
        while not self.stopping:
            try:
                reader, writer = await self.open()
                total = 100 * 1024
                writer.write(f"POST /up/{index} HTTP/1.1\r\nHost: x\r\nContent-Length: {total}\r\n\r\n".encode())
                self.counts["begun"] += 1
                for _ in range(100):
                    writer.write(bytes(1024))
                    await writer.drain()
                    await asyncio.sleep(0.02)
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
                if b" 200 " not in head:
                    raise Failed(head[:60])
                self.counts["uploads"] += 1
                writer.close()
            except Exception as error:
                self.fail("an upload", error)


class Cluster:
    """Three nodes on loopback addresses of this machine."""

    host = "127.0.0.1"

    def __init__(self, binary, timing, engine):
        self.source = binary
        ports = free_ports(8)
        self.vips = self.virtual_addresses()
        self.vip = self.vips[0]
        self.port = ports[0]
        self.backend_port = ports[1]
        self.nodes = [
            dict(id=i + 1, web=ports[2 + 2 * i], raft=ports[3 + 2 * i], process=None)
            for i in range(3)
        ]
        for node in self.nodes:
            os.mkdir(self.place(node))
            self.install(node)
        self.timing, self.engine = timing, engine
        for node in self.nodes:
            self.write_node_file(node)
        self.write_gateway_file("gateway", f'["{self.vip}"]')

    def write_gateway_file(self, name, addresses):
        path = f"{DIRECTORY}/{name}.json5"
        with open(path, "w") as file:
            backends = f'[{{ address: "{self.host}:{self.backend_port}" }}]'
            file.write(
                f'{{ virtualAddresses: {addresses}, listeners: [{{ name: "web", port: {self.port} }}], '
                f'routes: [{{ path: "/", upstream: "app" }}], upstreams: [{{ name: "app", backends: {backends} }}] }}')
        return path

    def virtual_addresses(self):
        network = f"127.{random.randint(1, 254)}.{random.randint(1, 254)}"
        return [f"{network}.{number}" for number in random.sample(range(1, 255), 3)]

    def address(self, node):
        return "127.0.0.1"

    def provider(self):
        return '{ provider: "loopback" }'

    def prefix(self, node):
        """What starts a program on the node's machine."""
        return []

    def admin(self, node):
        return f"unix:{DIRECTORY}/gw{node['id']}.sock"

    def write_node_file(self, node, more=""):
        peers = ", ".join(
            f'{{ id: {n["id"]}, name: "gw{n["id"]}", raft: "{self.address(n)}:{n["raft"]}", admin: "{self.admin(n)}" }}'
            for n in self.nodes)
        with open(f"{DIRECTORY}/gw{node['id']}.json5", "w") as file:
            file.write(
                f'{{ cluster: "upgrade", node: {{ id: {node["id"]}, name: "gw{node["id"]}" }}, '
                f'dataDirectory: "data{node["id"]}", listen: {{ web: "{self.address(node)}:{self.port if self.prefix(node) else node["web"]}" }}, '
                f'admin: "{self.admin(node)}", peers: [{peers}], virtualAddress: {self.provider()}, '
                f'timing: "{self.timing}", workers: 2, engine: "{self.engine}", gatewayFile: "gateway.json5", {more} }}')

    def place(self, node):
        return f"{DIRECTORY}/gw{node['id']}"

    def install(self, node, text=None):
        """As a package manager does: the file is replaced, not written to. The program under test, unless told."""
        new = f"{self.place(node)}/gwnode.new"
        if text is None:
            shutil.copy(self.source, new)
        else:
            with open(new, "w") as file:
                file.write(text)
        os.chmod(new, 0o755)
        os.rename(new, f"{self.place(node)}/gwnode")

    async def start(self):
        for node in self.nodes:
            await self.start_node(node)
        await self.wait(self.is_serving, "the cluster serves")

    async def start_node(self, node):
        log = open(f"{DIRECTORY}/gw{node['id']}.log", "a")
        node["process"] = await asyncio.create_subprocess_exec(
            *self.prefix(node), f"{self.place(node)}/gwnode", "run", "--config", f"{DIRECTORY}/gw{node['id']}.json5", stdout=log, stderr=log)

    async def wait(self, condition, what, limit=30):
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            if result := await condition():
                return result
            await asyncio.sleep(0.02)
        raise Failed(f"not in time: {what}")

    async def get(self, node, path):
        try:
            reader, writer = await asyncio.open_unix_connection(f"{DIRECTORY}/gw{node['id']}.sock")
            writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            data = await asyncio.wait_for(reader.read(), 5)
            writer.close()
            head, _, body = data.partition(b"\r\n\r\n")
            return json.loads(body) if b" 200 " in head.split(b"\r\n")[0] + b" " else None
        except (OSError, ValueError, asyncio.TimeoutError):
            return None

    async def pid(self, node):
        document = await self.get(node, "/v1/node")
        return document and document["pid"]

    async def status(self):
        for node in self.nodes:
            if (status := await self.get(node, "/v1/status")) and status["quorum"]:
                return status
        return None

    async def is_serving(self):
        status = await self.status()
        whole = status and all(n["alive"] for n in status["nodes"])
        return whole and any(a.get("holder") for a in status["virtualAddresses"])

    async def leader(self):
        async def known():
            status = await self.status()
            return status and status["leader"]

        return self.nodes[await self.wait(known, "there is a leader") - 1]

    async def apply(self, path):
        process = await asyncio.create_subprocess_exec(
            self.source, "config", "apply", path, "--admin", self.admin(await self.leader()),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
        output, _ = await asyncio.wait_for(process.communicate(), 60)
        if process.returncode:
            raise Failed(output.decode())

    async def holders(self):
        """Of each address, as its own holder says; None while the cluster has no quorum."""
        status = await self.status()
        return status and {a["address"]: a.get("holder") for a in status["virtualAddresses"]}

    async def upgrade(self, node):
        process = await asyncio.create_subprocess_exec(
            self.source, "upgrade", "--admin", self.admin(node),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
        output, _ = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode, output.decode().strip()

    async def signal(self, node):
        """The same by a signal; returns when the former process has said that it is done."""
        def done():
            with open(f"{DIRECTORY}/gw{node['id']}.log") as file:
                return file.read().count("has taken over")

        before = done()
        pid = await self.pid(node)
        os.kill(pid, signal.SIGUSR2)

        async def is_replaced():
            return done() > before and await self.pid(node) not in (pid, None)

        await self.wait(is_replaced, "another process has taken over after SIGUSR2")

    def end(self):
        """Every process that was started here runs with a file of this directory."""
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            try:
                with open(f"/proc/{name}/cmdline", "rb") as file:
                    if f"{DIRECTORY}/gw".encode() in file.read():
                        os.kill(int(name), signal.SIGKILL)
            except OSError:
                pass

    def logs(self):
        for node in self.nodes:
            print(f"--- gw{node['id']}")
            with open(f"{DIRECTORY}/gw{node['id']}.log") as file:
                print("".join(file.readlines()[-40:]))


def pids(words):
    """The processes whose command line has these words, in this order and behind each other."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/cmdline") as file:
                if "\0".join(words) in file.read():
                    found.append(int(name))
        except OSError:
            pass
    return found


class Lab(Cluster):
    """Each node in a network namespace of its own, on one link with the clients; their address is a real one."""

    host = "10.9.0.100"

    def virtual_addresses(self):
        return ["10.9.0.50", "10.9.0.51", "10.9.0.52"]

    def address(self, node):
        return f"10.9.0.{node['id']}"

    def provider(self):
        return '{ provider: "netlink", interface: "eth0" }'

    def prefix(self, node):
        return ["nsenter", f"--net=/run/netns/n{node['id']}"]

    OPTIONS = ["--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]

    async def guard(self, node):
        """As the node tells."""
        async def told():
            status = await self.get(node, "/v1/status?stale=true")
            return status and next(n for n in status["nodes"] if n["id"] == node["id"]).get("guard", {}).get("pid")

        return await self.wait(told, "the node tells of its guard")

    async def intrude(self, node):
        """Starts a gateway of another cluster on the node's machine, which wants the same interface and the same address."""
        with open(f"{DIRECTORY}/intruder.json5", "w") as file:
            admin = f"unix:{DIRECTORY}/intruder.sock"
            file.write(
                f'{{ cluster: "intruder", node: {{ id: 1, name: "intruder" }}, dataDirectory: "intruder", admin: "{admin}", '
                f'peers: [{{ id: 1, name: "intruder", raft: "{self.address(node)}:9101", admin: "{admin}" }}], '
                f'virtualAddress: {self.provider()}, gatewayFile: "gateway.json5" }}')
        process = await asyncio.create_subprocess_exec(
            *self.prefix(node), f"{self.place(node)}/gwnode", "run", "--config", f"{DIRECTORY}/intruder.json5",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
        output, _ = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode, output.decode().strip()

    @staticmethod
    def is_permitted():
        tools = all(shutil.which(tool) for tool in ["unshare", "nsenter", "ip", "nft"])
        return tools and subprocess.run(["unshare", *Lab.OPTIONS, "true"], check=False).returncode == 0

    @staticmethod
    def enter(arguments):
        """Once more, as root of namespaces of its own."""
        os.execvp("unshare", ["unshare", *Lab.OPTIONS, sys.executable, __file__, "--inside", *arguments])

    @staticmethod
    def prepare():
        def run(line):
            subprocess.run(line.split(), check=True)

        run("mount -t tmpfs tmpfs /run")
        run("ip link set lo up")
        run("ip link add br0 type bridge")
        run(f"ip address add {Lab.host}/24 dev br0")
        run("ip link set br0 up")
        for number in range(1, 4):
            run(f"ip netns add n{number}")
            run(f"ip link add v{number} type veth peer name eth0 netns n{number}")
            run(f"ip link set v{number} master br0 up")
            run(f"ip -n n{number} address add 10.9.0.{number}/24 dev eth0")
            run(f"ip -n n{number} link set eth0 up")
            run(f"ip -n n{number} link set lo up")


def check(condition, what):
    if not condition:
        raise Failed(what)
    print(f"ok: {what}", flush=True)


async def upgrades(cluster, count):
    load = Load(cluster.vip, cluster.port)
    await load.begin(cluster)
    pauses = []
    for number in range(count):
        # The leader, whose address the clients use, and the others in turn.
        leader = await cluster.leader()
        others = [n for n in cluster.nodes if n is not leader]
        node = leader if number % 3 != 2 else others[number // 3 % 2]
        cluster.install(node)
        before = await cluster.pid(node)
        code, output = await cluster.upgrade(node)
        print(f"{number + 1}: gw{node['id']}{' (leader)' if node is leader else ''}: {output.splitlines()[-1]}", flush=True)
        if code != 0 or load.failures:
            await load.end()
            raise Failed(f"upgrade {number + 1}: exit {code}, {load.failures[:5]}")
        if await cluster.pid(node) in (before, None):
            raise Failed("the same process answers")
        if await cluster.leader() is not leader:
            raise Failed("another node leads")
        pauses.append(float(output.split("paused for ")[1].split(" ")[0]))
    node = await cluster.leader()
    cluster.install(node)
    await cluster.signal(node)
    await load.end()
    print(json.dumps(load.counts), f"longest gap {load.longest_gap * 1000:.0f} ms, pauses {min(pauses)} to {max(pauses)} ms")
    check(not load.failures, f"{count} upgrades and one by a signal drop nothing: {load.failures[:5]}")


async def guards(cluster):
    """Of nodes that were upgraded: their guard is the child of a process that ended, and serves another one."""
    node = await cluster.leader()
    gateway, guard = await cluster.pid(node), await cluster.guard(node)
    check([guard] == pids([f"{cluster.place(node)}/gwnode", "guard", "eth0"]), "an upgraded node has one guard, and says which")

    load = Load(cluster.vip, cluster.port)
    await load.begin(cluster)
    code, output = await cluster.intrude(node)
    check(code == 1 and f"another gateway, process {gateway}, keeps" in output, f"a second gateway is refused: {output}")
    same = await cluster.pid(node) == gateway and await cluster.guard(node) == guard and await cluster.leader() is node
    await load.end()
    check(same and not load.failures, f"the first one, its guard and its clients do not notice: {load.failures[:3]}")

    os.kill(guard, signal.SIGSTOP)
    os.kill(gateway, signal.SIGKILL)
    await cluster.start_node(node)
    await cluster.wait(cluster.is_serving, "all nodes serve")
    new = await cluster.guard(node)
    check(new != guard and [new] == pids([f"{cluster.place(node)}/gwnode", "guard", "eth0"]),
          "a gateway that is started again ends a guard that hangs")


async def spread_upgrades(cluster):
    """Each node holds one of three addresses, and keeps it while the nodes are upgraded, whoever leads."""
    addresses = "[" + ", ".join(f'"{vip}"' for vip in cluster.vips) + "], spreadVirtualAddresses: true"
    await cluster.apply(cluster.write_gateway_file("spread", addresses))

    async def each_has_one():
        holders = await cluster.holders()
        return holders if holders and set(holders.values()) == {1, 2, 3} else None

    before = await cluster.wait(each_has_one, "each node holds an address")
    loads = [Load(vip, cluster.port) for vip in cluster.vips]
    for load in loads:
        await load.begin(cluster, kept=6, sockets=3, downloads=1, uploads=1)
    leader = await cluster.leader()
    for node in [leader] + [n for n in cluster.nodes if n is not leader]:
        cluster.install(node)
        code, output = await cluster.upgrade(node)
        print(f"spread: gw{node['id']}{' (leader)' if node is leader else ''}: {output.splitlines()[-1]}", flush=True)
        if code != 0:
            raise Failed(f"gw{node['id']}: exit {code}")
    for load in loads:
        await load.end()
    gaps = ", ".join(f"{load.longest_gap * 1000:.0f} ms" for load in loads)
    failures = [failure for load in loads for failure in load.failures]
    print(json.dumps([load.counts for load in loads]), f"longest gaps {gaps}")
    check(not failures, f"three upgrades drop nothing at any of three spread addresses: {failures[:5]}")
    moved = sum(load.counts["reconnects"] for load in loads)
    check(moved == 0, "no client was sent away")

    async def nothing_has_moved():
        return await cluster.holders() == before

    await cluster.wait(nothing_has_moved, "each node holds the address that it held")
    await cluster.apply(cluster.write_gateway_file("gateway", f'["{cluster.vip}"]'))
    await cluster.wait(cluster.is_serving, "one address is served by the leader")


PRETENDER = """#!/usr/bin/env python3
import os, socket, struct, sys, time
s = socket.socket(fileno=0)
text = b"9.9"
s.send(b"\\2\\1" + struct.pack("<i", os.getpid()))
s.recv(65536)
s.send(b"\\2\\2" + struct.pack("<I", len(text)) + text)
while s.recv(65536)[1] != 9:
    pass
{end}
"""


async def failures(cluster):
    """The running node goes on, whatever the new program does."""
    before_the_point = [
        ("a program that ends", "#!/bin/sh\nexit 3\n"),
        ("no program", "not a program\n"),
        ("a program that talks nonsense", "#!/usr/bin/env python3\nimport socket\nsocket.socket(fileno=0).send(b'hello')\n"),
    ]
    leader = await cluster.leader()
    another = next(n for n in cluster.nodes if n is not leader)
    load = Load(cluster.vip, cluster.port)
    await load.begin(cluster)

    async def changes_nothing(node, what, text):
        cluster.install(node, text)
        pid = await cluster.pid(node)
        code, output = await cluster.upgrade(node)
        same = await cluster.pid(node) == pid and await cluster.leader() is leader
        check(code == 1 and "nothing has changed" in output and same, f"{what}: {output}")

    hanging = asyncio.create_task(changes_nothing(another, "a program that hangs", "#!/bin/sh\nexec sleep 1000\n"))
    for what, text in before_the_point:
        await changes_nothing(leader, what, text)
    cluster.write_node_file(leader, "nonsense: 1")
    await changes_nothing(leader, "a bad node file", None)
    cluster.write_node_file(leader)
    await hanging
    check(not load.failures, f"none of these drops anything: {load.counts} {load.failures[:3]}")

    # After the point of no return a new process of the former program takes over, with the lease while that lasts.
    async def is_restored(node, what, end):
        cluster.install(node, PRETENDER.format(end=end))
        pid = await cluster.pid(node)
        code, output = await cluster.upgrade(node)
        other = await cluster.pid(node)
        check(code == 1 and "serves again" in output and other not in (pid, None), f"{what}: {output}")

    await is_restored(leader, "a program that ends when it was to take over", "sys.exit(1)")
    if await cluster.leader() is leader:
        check(not load.failures, f"that drops nothing either: {load.failures[:3]}")
    await load.end()

    # From here on other nodes may have to take the address: what counts is that the node comes back.
    await is_restored(await cluster.leader(), "a program that ends once it runs", "s.send(b'\\2\\4'); sys.exit(1)")
    await cluster.wait(cluster.is_serving, "all nodes serve")
    await is_restored(await cluster.leader(), "a program that hangs when it was to take over", "time.sleep(1000)")
    await cluster.wait(cluster.is_serving, "all nodes serve")

    node = await cluster.leader()
    cluster.install(node)
    pid = await cluster.pid(node)
    asked = asyncio.create_task(cluster.upgrade(node))

    async def replaced():
        now = await cluster.pid(node)
        return now if now not in (pid, None) else None

    os.kill(await cluster.wait(replaced, "the new process serves"), signal.SIGKILL)
    code, output = await asked
    check(code == 1 and "serves again" in output, f"a new process that is killed soon: {output}")
    await cluster.wait(cluster.is_serving, "all nodes serve")


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--upgrades", type=int, default=3)
    parser.add_argument("--timing", default="cautious")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--no-failures", action="store_true")
    parser.add_argument("--lab", action="store_true", help="with real addresses, in namespaces")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.lab and not options.inside:
        if not Lab.is_permitted():
            print("SKIPPED upgrades of real addresses: this machine does not permit user and network namespaces")
            return 0
        Lab.enter(sys.argv[1:])
    if options.lab:
        Lab.prepare()
    kind = Lab if options.lab else Cluster
    cluster = kind(os.path.abspath(options.binary), options.timing, options.engine)
    backend = Backend()
    try:
        await backend.start(cluster.host, cluster.backend_port)
        await cluster.start()
        await upgrades(cluster, options.upgrades)
        if options.lab:
            await guards(cluster)
        await spread_upgrades(cluster)
        if not options.no_failures:
            await failures(cluster)
    except (Failed, asyncio.TimeoutError) as error:
        cluster.logs()
        print(f"FAILED: {error!r}")
        return 1
    finally:
        cluster.end()
        shutil.rmtree(DIRECTORY, ignore_errors=True)
    return 0


sys.exit(asyncio.run(main()))
