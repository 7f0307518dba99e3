"""Upgrades that go well, with the address at the leader and with addresses that are spread."""

import json

from checks import Failed, check
from load import Load


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
