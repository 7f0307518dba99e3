"""Figures beside each other, and beside their limits."""
import json, sys

from scenarios import FLOOR_SCENARIOS, RATIOS
from server import HERE


def ratio(figures, ours, scenario, key, peers):
    if (ours, scenario) not in figures:
        return None
    others = [figures[peer, scenario][key] for peer in peers if (peer, scenario) in figures]
    return round(figures[ours, scenario][key] / min(others), 3) if others else None


def report(figures):
    ratios = {}
    for scenario in FLOOR_SCENARIOS:
        ratios[f"{scenario}_floor"] = ratio(figures, "gwnode", scenario, "cpu", ["floor"])
        ratios[f"{scenario}_epoll_floor"] = ratio(figures, "gwnode-epoll", scenario, "cpu", ["floor-epoll"])
        ratios[f"floor_{scenario}_haproxy"] = ratio(figures, "floor", scenario, "cpu", ["haproxy"])
        ratios[f"floor_{scenario}_epoll_haproxy"] = ratio(figures, "floor-epoll", scenario, "cpu", ["haproxy"])
    for name, measure in RATIOS.items():
        scenario, peers = name.rsplit("_", 1)
        ratios[name] = ratio(figures, "gwnode", *measure)
        ratios[f"{scenario}_epoll_{peers}"] = ratio(figures, "gwnode-epoll", *measure)
    # What it costs that every request is logged.
    ratios["access_log_cost"] = ratio(figures, "gwnode-log", "cpu64", "cpu", ["gwnode"])
    ratios["access_log_epoll_cost"] = ratio(figures, "gwnode-epoll-log", "cpu64", "cpu", ["gwnode-epoll"])
    thresholds = json.load(open(f"{HERE}/thresholds.json"))
    short = [name for name, limit in thresholds.items() if ratios.get(name) is not None and ratios[name] > limit]
    for name in short:
        print(f"{name}: {ratios[name]} is above {thresholds[name]}")
    print(json.dumps({
        **ratios, "loadGenerator": "wrk, one thread, same for all",
        "loadGeneratorShare": max((run["wrk"] for run in figures.values() if "wrk" in run), default=None),
        "figures": {f"{scenario}/{name}": values for (name, scenario), values in figures.items()}}))
    sys.exit(1 if short else 0)
