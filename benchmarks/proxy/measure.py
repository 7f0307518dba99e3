"""Loads one proxy after the other, and takes the medians."""
import os, re, socket, statistics, subprocess, sys

from scenarios import FLOOR_SCENARIOS, SCENARIOS, SECURED

LOAD_PROCESSOR = "0"
IDLE_CONNECTIONS = 10_000


def load(proxy, scenario, seconds):
    """One wrk run: CPU microseconds a request, requests a second, p99 in milliseconds, wrk's share of a processor."""
    connections, path, fields = SCENARIOS[scenario]
    headers = [part for name, value in fields.items() for part in ("-H", f"{name}: {value}")]
    command = ["taskset", "-c", LOAD_PROCESSOR, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency",
               *headers, f"https://127.0.0.1:{proxy.secure_port}{path}" if scenario in SECURED
               else f"http://127.0.0.1:{proxy.port}{path}"]
    before, generator = proxy.cpu_seconds(), os.times()
    output = subprocess.run(command, capture_output=True, text=True).stdout
    used, after = proxy.cpu_seconds() - before, os.times()
    requests = int(re.search(r"(\d+) requests in", output).group(1))
    value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", output).groups()
    bad = re.search(r"Non-2xx.*|Socket errors: connect [1-9].*", output)
    if bad:
        sys.exit(f"{proxy.name} {scenario}: {bad.group(0)}")
    share = (after.children_user + after.children_system - generator.children_user - generator.children_system)
    return {
        "cpu": used / max(requests, 1) * 1e6, "rps": requests / seconds,
        "p99": float(value) * {"us": 1e-3, "ms": 1, "s": 1e3}[unit], "wrk": share / seconds,
    }


def idle_memory(proxy):
    """Resident kilobytes with idle connections that have each had one answer."""
    connections = []
    try:
        for _ in range(IDLE_CONNECTIONS):
            connection = socket.create_connection(("127.0.0.1", proxy.port), 5)
            connection.sendall(b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n")
            connection.recv(4096)
            connections.append(connection)
        return proxy.resident_kilobytes()
    finally:
        for connection in connections:
            connection.close()


def measure(proxies, scenarios, rounds, seconds):
    loads = [name for name in SCENARIOS if name in scenarios]
    runs = {(proxy, scenario): [] for proxy in proxies for scenario in loads
            if scenario == "cpu64" or not proxy.name.endswith("-log")
            if proxy.secure_port or scenario not in SECURED
            if not proxy.name.startswith("floor") or scenario in FLOOR_SCENARIOS}
    for number in range(rounds):
        for scenario in loads:
            for proxy in proxies:
                if (proxy, scenario) in runs:
                    runs[proxy, scenario].append(load(proxy, scenario, seconds))
    figures = {}
    print(f"{'':10} {'':16} {'CPU us':>8} {'req/s':>8} {'p99 ms':>8} {'wrk CPU':>8}")
    for (proxy, scenario), results in runs.items():
        name = proxy.name
        median = {key: statistics.median(result[key] for result in results) for key in results[0]}
        figures[name, scenario] = median
        print(f"{scenario:10} {name:16} {median['cpu']:8.2f} {median['rps']:8.0f} {median['p99']:8.2f} "
              f"{median['wrk']:8.2f}")
    for proxy in proxies:
        if "idle" not in scenarios or proxy.name not in ["gwnode", "gwnode-epoll", "nginx"]:
            continue
        figures[proxy.name, "idle"] = {"rss": idle_memory(proxy)}
        print(f"{'idle':10} {proxy.name:16} {figures[proxy.name, 'idle']['rss']:8} KB")
    return figures
