"""The same nodes on machines of their own, which are network namespaces."""

import asyncio
import os
import shutil
import subprocess
import sys

from cluster import Cluster


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
        with open(f"{self.directory}/intruder.json5", "w") as file:
            admin = f"unix:{self.directory}/intruder.sock"
            file.write(
                f'{{ cluster: "intruder", node: {{ id: 1, name: "intruder" }}, dataDirectory: "intruder", admin: "{admin}", '
                f'peers: [{{ id: 1, name: "intruder", raft: "{self.address(node)}:9101", admin: "{admin}" }}], '
                f'virtualAddress: {self.provider()}, gatewayFile: "gateway.json5" }}')
        process = await asyncio.create_subprocess_exec(
            *self.prefix(node), f"{self.place(node)}/gwnode", "run", "--config", f"{self.directory}/intruder.json5",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
        output, _ = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode, output.decode().strip()

    @staticmethod
    def is_permitted():
        tools = all(shutil.which(tool) for tool in ["unshare", "nsenter", "ip", "nft"])
        return tools and subprocess.run(["unshare", *Lab.OPTIONS, "true"], check=False).returncode == 0

    @staticmethod
    def enter(script, arguments):
        """Once more, as root of namespaces of its own."""
        os.execvp("unshare", ["unshare", *Lab.OPTIONS, sys.executable, script, "--inside", *arguments])

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
