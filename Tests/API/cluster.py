"""Three nodes of one cluster on free ports of this machine, for as long as a `with` lasts."""
import json
import os
import pathlib
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

GATEWAY = """// what the cluster serves
{
    virtualAddresses: ["127.0.0.100"],
    listeners: [{ name: "web", port: %d }],
    routes: [{ path: "/", upstream: "app" }],
    upstreams: [
        {
            name: "app",
            // the two that are always there
            backends: [{ address: "127.0.0.1:1" }, { address: "127.0.0.1:2", weight: 2 }],
            health: { type: "none" },
        },
    ],
}
"""


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


class Cluster:
    def __init__(self, binary, timing="wan"):
        """Three nodes on a busy machine: unless that is what is tested, a dead one need not be noticed fast."""
        self.binary = binary
        self.timing = timing

    def __enter__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="gwnode-api-"))
        ports = free_ports(10)
        self.token_file = self.directory / "token"
        self.token_file.touch(mode=0o600)
        self.token_file.write_text(secrets.token_hex(32))
        self.admins = [f"http://127.0.0.1:{port}" for port in ports[3:6]]
        (self.directory / "gateway.json5").write_text(GATEWAY % ports[9])
        peers = [
            {"id": i + 1, "name": f"gw{i + 1}", "raft": f"127.0.0.1:{ports[i]}", "admin": f"127.0.0.1:{ports[3 + i]}"}
            for i in range(3)
        ]
        self.nodes = [self.start(peer, peers, ports[6 + i]) for i, peer in enumerate(peers)]
        self.wait()
        return self

    def start(self, peer, peers, web):
        file = self.directory / f"{peer['name']}.json5"
        file.write_text(json.dumps({
            "cluster": "api", "node": {"id": peer["id"], "name": peer["name"]}, "dataDirectory": f"data-{peer['id']}",
            "listen": {"web": f"127.0.0.1:{web}"}, "admin": peer["admin"], "adminToken": "token", "peers": peers,
            "virtualAddress": {"provider": "loopback"}, "timing": self.timing,
            "gatewayFile": "gateway.json5", "workers": 1}))
        return self.again(peer["id"] - 1)

    def again(self, index):
        """Starts a node that has ended, with the data it has."""
        file = self.directory / f"gw{index + 1}.json5"
        log = open(self.directory / f"gw{index + 1}.log", "ab")
        return subprocess.Popen([self.binary, "run", "--config", str(file)], stderr=log)

    def wait(self):
        """Until all is as it should be, as every node sees it."""
        deadline = time.monotonic() + 60
        waiting = list(self.admins)
        while waiting:
            try:
                healthy = self.get(waiting[0], "/v1/health")["condition"] == "healthy"
                if healthy and self.get(waiting[0], "/v1/status")["revision"] > 0:
                    waiting.pop(0)
                    continue
            except OSError:
                pass
            if time.monotonic() > deadline:
                raise SystemExit(f"the cluster is not healthy after a minute; its logs are in {self.directory}")
            time.sleep(0.1)

    @property
    def authorization(self):
        return f"Bearer {self.token_file.read_text()}"

    def get(self, admin, path):
        request = urllib.request.Request(admin + path, headers={"Authorization": self.authorization})
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)

    def __exit__(self, kind, *_):
        # A node that was upgraded runs in another process than the one that was started here.
        for admin in self.admins:
            try:
                pid = self.get(admin, "/v1/node")["pid"]
            except OSError:
                continue
            if pid not in [node.pid for node in self.nodes]:
                os.kill(pid, signal.SIGTERM)
        for node in self.nodes:
            node.terminate()
        for node in self.nodes:
            node.wait(timeout=60)
        # What went wrong is in the logs.
        if kind is None:
            shutil.rmtree(self.directory)
