"""New programs that can not take over."""

import asyncio
import os
import signal

from checks import check
from load import Load

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
