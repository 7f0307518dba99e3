"""Moves and kills the nodes of a cluster, by dice, while clients ask numbered requests over a rough link.

Each event hits a machine that has addresses, or at times another one. After each, every client has to be answered
again, and the cluster has to be well. All the while history.py is told what was asked, carried out and answered.
"""
import argparse, collections, enum, os, random, shutil, signal, socket, sys, tempfile, time

import lab
import link
from history import History
from load import Load
from machines import enter_lab, inside

LOG_LINES = 60
HOLDER_SHARE = 0.8
# From the moment at which all machines know all resting connections to the next event.
REST_SECONDS = (0, 0.8)
# A worker looks for what it can tell the others ten times a second, and tells what it finds for the second time.
LOOKS_SECONDS = 0.2
# For which an event waits until each machine has its share of spread addresses, at most.
SHARE_SECONDS = 8


class Event(enum.Enum):
    TRANSFER = "transfer"
    DRAIN = "drain"
    STOP = "stop and start"
    KILL = "kill"
    KILL_AND_START = "kill and start at once"
    CRASH = "crash of the machine"
    UPGRADE = "upgrade"
    PAUSE_GATEWAY = "gateway paused"
    PAUSE_ALL = "gateway and guard paused"
    CUT = "cable cut"
    KILL_GUARD = "guard killed"

    @property
    def keeps_the_addresses(self):
        """Whether the machine may keep them, or get them back, before it is mended."""
        return self in (Event.UPGRADE, Event.KILL_AND_START, Event.KILL_GUARD)

    @property
    def silences_the_machine(self):
        """Whether clients can hear nothing of it any more."""
        return self in (Event.CRASH, Event.CUT, Event.PAUSE_GATEWAY, Event.PAUSE_ALL)


def cause(event, n, cluster):
    """Returns what mends it."""
    def nothing():
        pass

    def start_again():
        cluster.wait_for_end(n)
        cluster.start(n)

    gateway, everything = [cluster.gateways[n]], cluster.everything(n)
    match event:
        case Event.TRANSFER:
            cluster.order(cluster.lab.numbers[0], "leader", "transfer")
            return nothing
        case Event.DRAIN:
            cluster.order(n, "node", "drain", f"m{n}")
            return lambda: cluster.order(n, "node", "undrain", f"m{n}")
        case Event.STOP:
            cluster.signal(signal.SIGTERM, gateway)
            return start_again
        case Event.KILL:
            cluster.signal(signal.SIGKILL, gateway)
            return start_again
        case Event.KILL_AND_START:
            cluster.signal(signal.SIGKILL, gateway)
            start_again()
            return nothing
        case Event.CRASH:
            cluster.crash(n)
            return lambda: cluster.reboot(n)
        case Event.UPGRADE:
            cluster.upgrade(n)
            return nothing
        case Event.PAUSE_GATEWAY:
            cluster.signal(signal.SIGSTOP, gateway)
            return lambda: cluster.signal(signal.SIGCONT, gateway)
        case Event.PAUSE_ALL:
            cluster.signal(signal.SIGSTOP, everything)
            return lambda: cluster.signal(signal.SIGCONT, everything)
        case Event.CUT:
            cluster.lab.cable(n, "down").wait()
            return lambda: cluster.lab.cable(n, "up").wait()
        case Event.KILL_GUARD:
            cluster.signal(signal.SIGKILL, [pid for pid in everything if pid not in gateway])
            return nothing


class Tally:
    """What the events did to connections, by event and by whether those rested."""

    def __init__(self):
        self.events = collections.Counter()
        self.kept = collections.Counter()
        self.ended = collections.Counter()
        self.longest = {}

    def note(self, event, before, longest):
        self.events[event] += 1
        for client, connection in before:
            count = self.kept if client.connection == connection else self.ended
            count[event, client.temper.pause is None] += 1
        self.longest[event] = max(self.longest.get(event, (0.0, "")), longest)

    def lines(self):
        yield f"{'event':26} {'times':>5} {'resting connections kept':>26} {'busy ones':>18}  longest answer"
        for event, times in sorted(self.events.items(), key=lambda pair: pair[0].value):
            rows = []
            for rests in (True, False):
                kept, ended = self.kept[event, rests], self.ended[event, rests]
                rows.append(f"{kept} of {kept + ended}")
            seconds, what = self.longest.get(event, (0.0, "of others alone"))
            yield f"{event.value:26} {times:5} {rows[0]:>26} {rows[1]:>18}  {seconds:.2f} s: {what}"


class Run:
    def __init__(self, options, directory):
        self.options, self.directory = options, directory
        self.dice = random.Random(f"{options.seed} events")
        self.history, self.tally, self.said = History(), Tally(), "at the beginning"
        self.lab = lab.Lab(f"{options.seed} link")
        self.load = Load(
            self.history, options.seed, self.make_socket, lab.CLIENTS,
            lab.SPREAD_ADDRESSES if options.spread else lab.ADDRESSES, lab.PORT, lab.BACKEND)
        self.load.start()
        self.cluster = lab.Cluster(
            self.lab, directory, os.path.abspath(options.binary), options.timing, options.spread, self.check)

    @staticmethod
    def make_socket(space, address):
        def make():
            end = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return end
        return inside(space, make)

    def all(self):
        self.settle()
        for number in range(1, self.options.count + 1):
            self.one(number)
        self.lab.link.become(link.SMOOTH)
        self.settle()

    def one(self, number):
        event = self.dice.choice(self.options.only or list(Event))
        is_of_holder = self.dice.random() < HOLDER_SHARE
        rests, waits = self.dice.uniform(*REST_SECONDS), self.dice.random() < 0.7
        self.lab.link.become(link.rough(self.dice))
        began = time.monotonic()
        self.wait_until_known()
        time.sleep(rests)
        n, addresses = self.choose(event, is_of_holder)
        self.said = f"event {number}: {event.value} of m{n}, which has {' '.join(addresses) or 'no address'}"
        self.load.take_longest()
        before = [(client, client.connection) for client in self.load.clients
                  if client.connection and client.address in addresses]
        if event.silences_the_machine:
            self.load.fall_silent(addresses)
        mend = cause(event, n, self.cluster)
        has_successor = addresses and not event.keeps_the_addresses
        if has_successor and waits:
            self.wait_for_successor(n, addresses)
        self.load.ring()
        if has_successor and not waits:
            self.wait_for_successor(n, addresses)
        self.hear()
        mend()
        self.cluster.wait_until_well()
        if addresses:
            self.tally.note(event, before, self.load.take_longest())
        else:
            self.tally.events[event] += 1
        self.check()
        print(f"{self.said}: {time.monotonic() - began:.1f} s", flush=True)

    def choose(self, event, is_of_holder):
        """Whom an event hits, and which addresses that machine has."""
        if self.options.spread and self.dice.random() < 0.7:
            self.cluster.wait_for_shares(SHARE_SECONDS)
        holders = self.cluster.wait_until("each address is at one machine", self.cluster.holders)
        those = set(holders.values())
        others = set(self.lab.numbers) - those
        n = self.dice.choice(sorted(those if is_of_holder or not others else others))
        if event is Event.TRANSFER:
            # Whoever is asked for it, this is about the leader, and not about what others were lent.
            n = self.cluster.wait_until("there is a leader", self.cluster.leader)
        return n, [address for address, holder in holders.items() if holder == n]

    def wait_until_known(self):
        """Who loses two machines before one that was away knows the connections again may be left with such that nobody knows.

        A machine tells how many it knows, not which: connections of busy clients that rest for a moment are among them, and
        such that ended a while ago. But one that was away begins with none, and gets those of one worker at once. So when
        there are enough, those of the other workers are there some looks later.
        """
        what = "the other machines know all resting connections"
        try:
            self.cluster.wait_until(what, self.are_known)
            time.sleep(LOOKS_SECONDS)
            self.cluster.wait_until(what, self.are_known)
        except lab.Failed as failure:
            raise lab.Failed(f"{failure}; of each machine what it knows, and what rests at the others: {self.knowledge()}")

    def are_known(self):
        return all(known >= resting for known, resting in self.knowledge().values())

    def knowledge(self):
        holders = self.cluster.wait_until("each address is at one machine", self.cluster.holders)
        return {n: (self.cluster.known(n), self.load.resting([a for a, holder in holders.items() if holder != n]))
                for n in self.lab.numbers}

    def settle(self):
        self.cluster.wait_until_well()
        self.load.ring()
        self.hear()

    def wait_for_successor(self, n, addresses):
        def is_there():
            holders = self.cluster.holders()
            return holders and all(holders[address] != n for address in addresses)

        self.cluster.wait_until(f"another machine has {' '.join(addresses)}", is_there)
        self.load.are_succeeded(addresses)

    def hear(self):
        self.cluster.wait_until("every client is answered", self.load.has_heard)

    def check(self):
        if self.history.problems:
            raise lab.Failed(self.history.problems[0])

    def explain(self, failure):
        print(f"{self.said}: {failure}")
        for problem in self.history.problems[:20]:
            print(f"  {problem}")
        for client in self.load.clients:
            if client.answered != self.load.bell:
                waits = ", ".join(map(str, self.history.open.get(client.connection, ())))
                print(f"  not answered: {client.temper.name}, {client.space}, {client.address}, connection "
                      f"{client.connection}: {waits}")
        with open(f"{self.directory}/kernels", "w") as file:
            for space in [*lab.CLIENTS, *(f"m{n}" for n in self.lab.numbers)]:
                for words in (["ss", "-tanoie"], ["ip", "neighbour"], ["nstat", "-azs"], ["nft", "list", "ruleset"]):
                    shown = lab.sh("ip", "netns", "exec", space, *words, check=False).stdout
                    file.write(f"{space}: {' '.join(words)}\n{shown}\n")
        self.lab.link.tell(f"{self.directory}/segments")
        print(f"  all logs, the latest segments of clients, and what the kernels of all machines have, are in {self.directory}")
        for n in self.lab.numbers:
            print(f"--- m{n}, the last of {self.directory}/m{n}.log:\n{self.cluster.last_words(n, LOG_LINES)}")

    def summary(self):
        counts = self.history.count()
        return "\n".join([
            *self.tally.lines(),
            "requests: " + ", ".join(f"{what} {count}" for what, count in sorted(counts.items())),
            f"refused with: {dict(self.load.refusals)}; connections ended by: {dict(self.load.ends)}; known to nobody else "
            f"when their machine fell silent: {self.load.unknown}",
            f"the link: {self.lab.link.counts()}"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("binary")
    parser.add_argument("--count", type=int, default=12, help="of moves and kills")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--timing", default="cautious")
    parser.add_argument("--spread", action="store_true", help="the addresses over the machines")
    parser.add_argument("--only", type=Event, action="append", help=", ".join(event.value for event in Event))
    options = parser.parse_args()
    enter_lab(os.path.abspath(__file__))
    print(f"seed {options.seed}", flush=True)
    directory = tempfile.mkdtemp(prefix="gwnode-moves-", dir="/var/tmp")
    began = time.monotonic()
    run, failure = Run(options, directory), None
    try:
        run.all()
    except lab.Failed as found:
        failure = found
        run.explain(failure)
    finally:
        run.load.stop()
        run.cluster.stop()
    print(run.summary())
    if failure:
        only = "".join(f" --only '{event.value}'" for event in options.only or [])
        print(f"FAILED: {failure}; again: Tests/Moves/run {options.binary} --seed {options.seed} --count {options.count} "
              f"--timing {options.timing}{' --spread' if options.spread else ''}{only}")
        return 1
    shutil.rmtree(directory)
    print(f"seed {options.seed}: {options.count} moves and kills in {time.monotonic() - began:.0f} s, nothing lost, "
          "doubled or mixed up")
    return 0


if __name__ == "__main__":
    sys.exit(main())
