"""The guards of nodes that were upgraded."""

import os
import signal

from checks import check
from load import Load


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
