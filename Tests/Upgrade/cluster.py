"""Three nodes as real processes, each with its own copy of the program."""

import asyncio
import json
import os
import random
import shutil
import signal
import socket
import time

from checks import Failed


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class Cluster:
    """Three nodes on loopback addresses of this machine."""

    host = "127.0.0.1"

    def __init__(self, directory, binary, timing, engine):
        self.directory, self.source = directory, binary
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
        path = f"{self.directory}/{name}.json5"
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
        return f"unix:{self.directory}/gw{node['id']}.sock"

    def write_node_file(self, node, more=""):
        peers = ", ".join(
            f'{{ id: {n["id"]}, name: "gw{n["id"]}", raft: "{self.address(n)}:{n["raft"]}", admin: "{self.admin(n)}" }}'
            for n in self.nodes)
        port = self.port if self.prefix(node) else node["web"]
        with open(f"{self.directory}/gw{node['id']}.json5", "w") as file:
            file.write(
                f'{{ cluster: "upgrade", node: {{ id: {node["id"]}, name: "gw{node["id"]}" }}, '
                f'dataDirectory: "data{node["id"]}", listen: {{ web: "{self.address(node)}:{port}" }}, '
                f'admin: "{self.admin(node)}", peers: [{peers}], virtualAddress: {self.provider()}, '
                f'timing: "{self.timing}", workers: 2, engine: "{self.engine}", gatewayFile: "gateway.json5", {more} }}')

    def place(self, node):
        return f"{self.directory}/gw{node['id']}"

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
        log = open(f"{self.directory}/gw{node['id']}.log", "a")
        node["process"] = await asyncio.create_subprocess_exec(
            *self.prefix(node), f"{self.place(node)}/gwnode", "run", "--config", f"{self.directory}/gw{node['id']}.json5",
            stdout=log, stderr=log)

    async def wait(self, condition, what, limit=30):
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            if result := await condition():
                return result
            await asyncio.sleep(0.02)
        raise Failed(f"not in time: {what}")

    async def get(self, node, path):
        try:
            reader, writer = await asyncio.open_unix_connection(f"{self.directory}/gw{node['id']}.sock")
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
            with open(f"{self.directory}/gw{node['id']}.log") as file:
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
                    if f"{self.directory}/gw".encode() in file.read():
                        os.kill(int(name), signal.SIGKILL)
            except OSError:
                pass

    def logs(self):
        for node in self.nodes:
            print(f"--- gw{node['id']}")
            with open(f"{self.directory}/gw{node['id']}.log") as file:
                print("".join(file.readlines()[-40:]))
