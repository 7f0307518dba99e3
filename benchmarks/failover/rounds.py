"""A fault, and what clients notice of it."""
import statistics, time

from clients import Attempts, RestingConnections
from observer import NoSingleOwner

# Between connections that are opened, and between questions.
INTERVAL = 0.002
# A round with two owners for so long is ended: what would follow is more of the same.
TWO_OWNERS_SECONDS = 1


def one_round(observer, inject, former, patience):
    """Causes a fault, and returns what was found until another machine has the address and clients were served for a
    while. `former` has it before; None: any machine may. Connections and questions are begun in one loop, which never
    waits for either; for `patience` seconds at the most.
    """
    resting, attempts = RestingConnections(), Attempts()
    observer.begin()
    start = due = time.monotonic()
    injected = None
    while True:
        now = time.monotonic()
        if injected is None and now - start > 0.25:
            inject()
            injected = time.monotonic()
        is_calm = now - attempts.last_failure > 0.25
        if injected and now - injected > 0.3 and observer.owner != former and is_calm:
            break
        if now - start > patience or observer.doubles * INTERVAL > TWO_OWNERS_SECONDS:
            break
        if now >= due:
            due = max(due + INTERVAL, now - 5 * INTERVAL)
            observer.ask_once_more()
            attempts.open(now)
        attempts.go_on(max(0, due - time.monotonic()))
        observer.listen()
    attempts.end()
    failed = attempts.failed
    outage = max(failed) - min(failed) + INTERVAL if failed else 0
    rested, kept = resting.end()
    return {"outage": outage * 1000, "failed": len(failed), "two": observer.doubles * INTERVAL * 1000,
            "opened": attempts.opened, "moved": observer.owner != former, "rested": rested, "kept": kept}


def measure(side, observer, fault, rounds, report, patience=12):
    """Puts the figures of so many rounds into `report`."""
    results, unsettled = [], 0
    former = observer.find_owner()
    for _ in range(rounds):
        result = one_round(observer, side.inject(fault, former), former, patience)
        results.append(result)
        side.repair(fault, former)
        try:
            former = observer.find_owner()
        except NoSingleOwner as state:
            # The round never ended well: it lasts as long as it was watched.
            unsettled += 1
            result["outage"] = max(result["outage"], state.none_ms)
            result["two"] += state.two_ms
            print(f"{side.name}: {fault} repaired, {state}; begun anew", flush=True)
            former = side.begin_anew(observer)
    outages = [result["outage"] for result in results]
    report[fault] = {
        "median_ms": round(statistics.median(outages), 1), "max_ms": round(max(outages), 1),
        "failed": sum(result["failed"] for result in results),
        "two_owners_ms": round(sum(result["two"] for result in results)), "rounds": rounds,
        "not_moved": sum(not result["moved"] for result in results), "unsettled": unsettled,
        "connections_kept": round(
            sum(result["kept"] for result in results) / max(sum(result["rested"] for result in results), 1), 3)}
    figures = report[fault]
    print(f"{side.name:16} {fault:13} {figures['median_ms']:8.1f} {figures['max_ms']:8.1f} {figures['failed']:7} "
          f"{figures['two_owners_ms']:7} {figures['connections_kept']:6.1%}", flush=True)
