"""The metrics of a real cluster: promtool takes the pages, and what dashboard and alert rules name is there."""
import pathlib
import re
import shutil
import subprocess
import urllib.request

PRODUCTION = pathlib.Path(__file__).resolve().parent.parent.parent / "cluster-configs/production"


def page(nodes, admin):
    request = urllib.request.Request(f"{admin}/metrics", headers={"Authorization": nodes.authorization})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read().decode()


def run(*command, text=None):
    result = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{' '.join(map(str, command))}: {result.stdout}{result.stderr}"


def check(nodes):
    # Some families are told by the leader alone.
    pages = [page(nodes, admin) for admin in nodes.admins]
    names = {re.match("[a-z_0-9]+", line)[0] for text in pages for line in text.splitlines() if line[0] != "#"}
    names |= {name.removesuffix("_bucket") for name in names}
    for file in ["alerts.yml", "grafana.json"]:
        wanted = set(re.findall(r"\b(?:gwnode|process)_[a-z_0-9]+\b", (PRODUCTION / file).read_text()))
        assert wanted and wanted <= names, f"{file} names what no node tells: {sorted(wanted - names)}"
    if not shutil.which("promtool"):
        return print("SKIPPED promtool: it is not installed; `make deps` does it")
    for text in pages:
        run("promtool", "check", "metrics", text=text)
    run("promtool", "check", "rules", PRODUCTION / "alerts.yml")
    print(f"metrics: {len(names)} names, all that the alert rules and the Grafana dashboard use among them")
