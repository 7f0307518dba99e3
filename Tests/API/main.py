"""The admin API of a real cluster, held against its own OpenAPI document. Arguments: the binary, and how many requests
schemathesis may make up for each operation and phase."""
import pathlib
import subprocess
import sys

import calls
import cluster
import metrics

# What would take the cluster apart under the test, and what never ends: these are called with care in calls.py.
EXCLUDED = ["addMember", "removeMember", "promoteMember", "transferLeadership", "upgradeNode", "watch"]


def fuzz(admin, authorization, examples):
    command = [
        pathlib.Path(sys.executable).parent / "st", "--config-file", "schemathesis.toml", "run", f"{admin}/v1/openapi.json",
        "--max-examples", str(examples), "--seed", "1", "--generation-database", "none",
        "--header", f"Authorization: {authorization}",
        "--suppress-health-check", "all", "--request-timeout", "60", "--warnings", "off",
    ]
    for operation in EXCLUDED:
        command += ["--exclude-operation-id", operation]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    with cluster.Cluster(sys.argv[1]) as nodes:
        metrics.check(nodes)
        calls.check(nodes.admins, nodes.authorization)
        nodes.wait()
        if fuzz(nodes.admins[0], nodes.authorization, int(sys.argv[2])):
            raise SystemExit("schemathesis found a mismatch")
        nodes.wait()
