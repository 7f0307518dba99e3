"""Upgrades the nodes of a real cluster on loopback, one after the other, under load; nothing may be dropped.

Clients with keep-alive, clients that connect anew each time, WebSockets, long downloads and uploads go on all the time,
at the virtual address; then at three addresses that are spread over the nodes. Then with programs that can not take
over: the running node has to go on.
"""

import argparse
import asyncio
import os
import sys
import tempfile

from backend import Backend
from checks import Failed
from cluster import Cluster
from failures import failures
from guards import guards
from lab import Lab
from upgrades import spread_upgrades, upgrades


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
        Lab.enter(__file__, sys.argv[1:])
    if options.lab:
        Lab.prepare()
    with tempfile.TemporaryDirectory(prefix="gwnode-upgrade-", ignore_cleanup_errors=True) as directory:
        kind = Lab if options.lab else Cluster
        return await run(kind(directory, os.path.abspath(options.binary), options.timing, options.engine), options)


async def run(cluster, options):
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
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
