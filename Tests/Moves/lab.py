"""The machines, their clients behind a rough link, and the cluster: the lab of benchmarks/failover/run, and more."""
import json, os, re, shutil, signal, socket, subprocess, time

from link import Link
from machines import CLIENT, VIP, Machines, Patience, on, sh

BACKEND = (CLIENT, 9002)
PORT = 8080
ADDRESSES = [VIP, "fd78::100"]
# More than there are machines: one has two.
SPREAD_ADDRESSES = [*ADDRESSES, "10.78.0.101", "fd78::101"]
# The network namespaces of clients, by what their TCP does not do.
CLIENTS = {"usual": None, "stampless": "tcp_timestamps", "sackless": "tcp_sack", "scaleless": "tcp_window_scaling"}
LIMIT_SECONDS = 60


class Failed(Exception):
    pass


class Lab(Machines):
    """Clients have machines of their own on a second switch. A rough link leads from there to the machines."""

    def __init__(self, seed):
        super().__init__()
        # The backend's address is on one switch alone; nobody is to be told of another way to it.
        sh("sysctl", "-qw", "net.ipv4.conf.all.arp_ignore=1")
        sh("ip", "address", "add", "fd78::fe/64", "dev", "switch0", "nodad")
        sh("ip", "link", "add", "switch1", "type", "bridge")
        sh("ip", "link", "set", "switch1", "up")
        for switch, end in (("switch0", "near"), ("switch1", "far")):
            sh("ip", "link", "add", f"{end}0", "type", "veth", "peer", "name", f"{end}1")
            sh("ip", "link", "set", f"{end}0", "master", switch, "up")
            sh("ip", "link", "set", f"{end}1", "addrgenmode", "none", "up")
        for number, (name, lacking) in enumerate(CLIENTS.items(), 231):
            self.add_client(name, number, lacking)
        self.link = Link("near1", "far1", seed)

    def add(self, n):
        super().add(n)
        on(n, "ip", "address", "add", f"fd78::{n}/64", "dev", "eth0", "nodad")

    def add_client(self, name, number, lacking):
        def inside(*words):
            sh("ip", "netns", "exec", name, *words)

        sh("ip", "netns", "add", name)
        sh("ip", "link", "add", f"to-{name}", "type", "veth", "peer", "name", "eth0", "netns", name)
        sh("ip", "link", "set", f"to-{name}", "master", "switch1", "up")
        inside("ip", "address", "add", f"10.78.0.{number}/24", "dev", "eth0")
        inside("ip", "address", "add", f"fd78::{number}/64", "dev", "eth0", "nodad")
        # Segments, not heaps of them: each is lost or overtaken by itself.
        inside("ip", "link", "set", "eth0", "gso_max_segs", "1", "up")
        if lacking:
            inside("sysctl", "-qw", f"net.ipv4.{lacking}=0")

    def replace(self, n):
        """A machine that crashed is started again: its kernel knows nothing of what was."""
        sh("ip", "link", "delete", f"cable{n}")
        sh("ip", "netns", "delete", f"m{n}")
        self.add(n)

    def holders(self, addresses):
        """Of each address the machines that have it."""
        shown = {n: on(n, "ip", "address", "show", "dev", "eth0").stdout for n in self.numbers}
        return {address: [n for n in self.numbers if f" {address}/" in shown[n]] for address in addresses}


class Cluster:
    """Three nodes, each with its own copy of the program, as an upgrade replaces it."""

    def __init__(self, lab, directory, binary, timing, spreads, check):
        """`check` raises when there is nothing more to wait for."""
        self.lab, self.directory, self.binary, self.spreads, self.check = lab, directory, binary, spreads, check
        self.addresses = SPREAD_ADDRESSES if spreads else ADDRESSES
        # The gateway's process on each machine; and all that were started here, which would be waited for too early else.
        self.gateways, self.started = {}, []
        with open(f"{directory}/gateway.json5", "w") as file:
            file.write(f"""{{ virtualAddresses: {json.dumps(self.addresses)}, spreadVirtualAddresses: {json.dumps(spreads)},
                listeners: [{{ name: "web", port: {PORT} }}],
                routes: [{{ path: "/", upstream: "app" }}],
                upstreams: [{{ name: "app", backends: [{{ address: "{BACKEND[0]}:{BACKEND[1]}" }}] }}] }}""")
        peers = ", ".join(
            f'{{ id: {n}, name: "m{n}", raft: "10.78.0.{n}:8101", admin: "{self.admin(n)}" }}' for n in lab.numbers)
        for n in lab.numbers:
            os.mkdir(f"{directory}/m{n}")
            self.install(n)
            with open(f"{directory}/m{n}.json5", "w") as file:
                file.write(f"""{{ cluster: "moves", node: {{ id: {n}, name: "m{n}" }}, dataDirectory: "m{n}/data",
                    admin: "{self.admin(n)}", peers: [{peers}], gatewayFile: "gateway.json5", timing: "{timing}", logLevel: "debug",
                    virtualAddress: {{ provider: "netlink", interface: "eth0" }}, workers: 2 }}""")
            self.start(n)

    def wait_until(self, what, condition):
        patience = Patience(LIMIT_SECONDS)
        while not (found := condition()):
            self.check()
            if patience.is_over():
                raise Failed(f"not within {LIMIT_SECONDS} s: {what}")
            time.sleep(0.01)
        return found

    def admin(self, n):
        return f"unix:{self.socket(n)}"

    def socket(self, n):
        return f"{self.directory}/m{n}.sock"

    def program(self, n):
        return f"{self.directory}/m{n}/gwnode"

    def install(self, n):
        """As package managers do: the file is replaced, not written to."""
        shutil.copy(self.binary, f"{self.program(n)}.new")
        os.rename(f"{self.program(n)}.new", self.program(n))

    def start(self, n):
        with open(f"{self.directory}/m{n}.log", "ab") as log:
            self.started.append(subprocess.Popen(
                ["ip", "netns", "exec", f"m{n}", self.program(n), "run", "--config", f"{self.directory}/m{n}.json5"],
                stdout=log, stderr=log))
        self.gateways[n] = self.started[-1].pid

    def order(self, n, *words):
        """Until it is carried out."""
        self.wait_until(f"m{n}: gwnode {' '.join(words)}", lambda: self.ask(n, *words).returncode == 0)

    def ask(self, n, *words):
        return sh(self.binary, *words, "--admin", self.admin(n), check=False)

    def upgrade(self, n):
        self.install(n)
        done = self.ask(n, "upgrade")
        if done.returncode:
            raise Failed(f"m{n}: the upgrade ended with {done.returncode}: {done.stdout}{done.stderr}")
        self.gateways[n] = self.gateway_by_itself(n)

    def get(self, n, path):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(LIMIT_SECONDS)
            connection.connect(self.socket(n))
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        return answer.partition(b"\r\n\r\n")[2].decode()

    def gateway_by_itself(self, n):
        return json.loads(self.get(n, "/v1/node"))["pid"]

    def known(self, n):
        """With how many connections of other machines a machine could try to go on now."""
        return int(re.search(r"^gwnode_client_connections_known (\d+)$", self.get(n, "/metrics"), re.MULTILINE)[1])

    def everything(self, n):
        """All processes on a machine."""
        return [int(pid) for pid in sh("ip", "netns", "pids", f"m{n}").stdout.split()]

    def guards(self, n):
        return [pid for pid in self.everything(n) if pid != self.gateways[n]]

    def signal(self, number, pids):
        for pid in pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def wait_for_end(self, n):
        """Of the gateway, which this process has started, or inherited from the one that it replaced."""
        try:
            os.waitpid(self.gateways.pop(n), 0)
        except ChildProcessError:
            pass

    def bury(self):
        """Guards and replaced gateways are children of this process, the first one here, when their parents have ended."""
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass

    def crash(self, n):
        """Nothing leaves the machine any more, and nothing of it is left."""
        self.lab.cable(n, "down").wait()
        self.signal(signal.SIGKILL, self.everything(n))
        self.wait_for_end(n)
        self.wait_until(f"m{n} runs nothing any more", lambda: not self.everything(n))

    def reboot(self, n):
        self.lab.replace(n)
        self.start(n)

    def leader(self):
        """None while it is not known."""
        answer = self.ask(self.lab.numbers[0], "status", "--format", "json")
        return json.loads(answer.stdout)["leader"] if answer.stdout else None

    def holders(self):
        """The machine that alone has an address, of each of them: one for all where they are not spread. None while that is
        not so."""
        found = self.lab.holders(self.addresses)
        if any(len(machines) != 1 for machines in found.values()):
            return None
        holders = {address: machine for address, (machine,) in found.items()}
        return holders if self.spreads or len(set(holders.values())) == 1 else None

    def wait_for_shares(self, seconds):
        """Until every machine has an address. Who lost some does not get others for a while, and longer from time to time."""
        patience = Patience(seconds)
        while set((self.holders() or {}).values()) != set(self.lab.numbers) and not patience.is_over():
            self.check()
            time.sleep(0.1)

    def complaint(self):
        """What is not as it should be, None when all is."""
        for n in self.lab.numbers:
            answer = self.ask(n, "status")
            if answer.returncode:
                return f"m{n} does not find all well: {answer.stdout}{answer.stderr}"
            if (count := len(self.everything(n))) != 2:
                return f"m{n} runs {count} processes, not a gateway and a guard"
        return None if self.holders() else f"the addresses are on {self.lab.holders(self.addresses)}"

    def wait_until_well(self):
        self.bury()
        try:
            self.wait_until("all is well", lambda: self.complaint() is None)
        except Failed as failure:
            raise Failed(f"{failure}; {self.complaint() or 'now all is well'}") from None

    def stop(self):
        for n in self.lab.numbers:
            self.signal(signal.SIGKILL, self.everything(n))

    def last_words(self, n, lines):
        with open(f"{self.directory}/m{n}.log", errors="replace") as file:
            return "".join(file.readlines()[-lines:])
