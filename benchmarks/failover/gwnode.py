"""gwnode on the machines."""
import json, os, subprocess

from machines import BACKEND_PORTS, CLIENT, VIP, on, wait_for
from side import Side


class Gwnode(Side):
    talk = "meta l4proto { tcp, udp } th dport 8101"
    transfer_ends = False
    backend_ports = BACKEND_PORTS[:1]

    def __init__(self, lab, directory, name, timing, binary):
        self.name, self.binary = name, binary
        directory = os.path.join(directory, name)
        os.mkdir(directory)
        peers = ", ".join(
            f'{{ id: {n}, name: "m{n}", raft: "10.78.0.{n}:8101", admin: "10.78.0.{n}:8091" }}' for n in lab.numbers)
        backends = ", ".join(f'{{ address: "{CLIENT}:{port}" }}' for port in self.backend_ports)
        with open(f"{directory}/gateway.json5", "w") as file:
            file.write(f"""{{ virtualAddresses: ["{VIP}"], listeners: [{{ name: "web", port: 8080 }}],
                routes: [{{ path: "/", upstream: "app" }}],
                upstreams: [{{ name: "app", backends: [{backends}] }}] }}""")
        for n in lab.numbers:
            with open(f"{directory}/m{n}.json5", "w") as file:
                file.write(f"""{{ cluster: "bench", node: {{ id: {n}, name: "m{n}" }}, dataDirectory: "m{n}",
                    admin: "127.0.0.1:8091", peers: [{peers}], gatewayFile: "gateway.json5", timing: "{timing}", workers: 1,
                    virtualAddress: {{ provider: "netlink", interface: "eth0" }} }}""")
        super().__init__(lab, directory)
        self.settle()

    def start(self, n):
        self.launch(n, self.binary, "run", "--config", f"{self.directory}/m{n}.json5")

    def serving(self, n):
        return [self.processes[n][0].pid]

    def terminate(self, n):
        self.processes[n][0].terminate()

    def transfer(self, n):
        subprocess.Popen(["ip", "netns", "exec", f"m{n}", self.binary, "leader", "transfer", "--admin",
                          "127.0.0.1:8091"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def settle(self):
        ask = (self.binary, "status", "--admin", "127.0.0.1:8091")
        wait_for("health", lambda: all(on(n, *ask, check=False).returncode == 0 for n in self.lab.numbers))

    def status(self):
        return json.loads(on(1, self.binary, "status", "--admin", "127.0.0.1:8091", "--format", "json").stdout)

    def fences(self):
        return sorted({node["fence"] for node in self.status()["nodes"]})

    def term(self):
        return self.status()["term"]
