"""The figures as JSON."""
import json, os, platform

from side import FAULTS


def save(path, report):
    if path:
        with open(path, "w") as file:
            json.dump(report, file, indent=1)
            file.write("\n")


def machine():
    with open("/proc/cpuinfo") as file:
        models = {line.split(":")[1].strip() for line in file if line.startswith("model name")}
    return f"{os.cpu_count()} cores of {', '.join(sorted(models)) or 'unknown kind'}, Linux {platform.release()}"


def ratios(report):
    """Of our figure to the smallest of keepalived's, where both were measured and keepalived's is not 0."""
    found = {}
    for fault in FAULTS:
        for key in ("median_ms", "max_ms"):
            others = [report[name].get(fault) for name in report if name.startswith("keepalived_")]
            best = min((other[key] for other in others if other), default=0)
            ours = (report.get("ours") or {}).get(fault)
            if ours and best > 0:
                found.setdefault(fault, {})[key] = round(ours[key] / best, 2)
    return found
