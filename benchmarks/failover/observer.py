"""Who has the address, by ARP."""
import socket, struct, time

from machines import VIP, inside

# Questions that are told apart: their senders' addresses differ.
MARKS = 120
# How long a side may take to return to one owner after a fault was repaired.
SETTLE_SECONDS = 10


class NoSingleOwner(Exception):
    """The address had no owner, or several, all over the time it was given."""

    def __init__(self, none_ms, two_ms):
        super().__init__(f"no owner for {none_ms:.0f} ms, several for {two_ms:.0f} ms")
        self.none_ms, self.two_ms = none_ms, two_ms


class Observer:
    """Asks on a machine of its own, and counts the questions that two machines answer."""

    def __init__(self, lab):
        self.lab = lab
        self.arp = inside("watch", lambda: socket.socket(
            socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, socket.htons(0x0806)))
        self.arp.bind(("eth0", 0x0806))
        self.own = self.arp.getsockname()[4]
        self.owner = None
        self.begin()

    def begin(self):
        """Forgets former questions."""
        self.mark, self.doubles, self.answered = 0, 0, [set() for _ in range(MARKS)]

    def ask_once_more(self):
        self.mark = (self.mark + 1) % MARKS
        self.answered[self.mark] = set()
        try:
            self.ask(self.mark)
        except OSError:
            pass

    def listen(self):
        for hardware, mark in self.answers():
            if 0 <= mark < MARKS:
                self.answered[mark].add(hardware)
                self.doubles += len(self.answered[mark]) == 2
                self.owner = self.lab.hardware.get(hardware)

    def ask(self, mark):
        source = socket.inet_aton(f"10.78.0.{110 + mark}")
        packet = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + self.own + source + bytes(6) + socket.inet_aton(VIP)
        self.arp.sendto(packet, ("eth0", 0x0806, 0, 0, b"\xff" * 6))

    def answers(self):
        while True:
            try:
                packet = self.arp.recv(128)
            except BlockingIOError:
                return
            if packet[6:8] == b"\0\2" and packet[14:18] == socket.inet_aton(VIP) and packet[24:27] == b"\x0a\x4e\0":
                yield packet[8:14], packet[27] - 110

    def find_owner(self):
        """The machine that alone answers for the address."""
        start = before = time.monotonic()
        none_ms = two_ms = 0
        while before - start < SETTLE_SECONDS:
            list(self.answers())
            self.ask(0)
            time.sleep(0.02)
            owners = {hardware for hardware, _ in self.answers()}
            if len(owners) == 1:
                self.owner = self.lab.hardware.get(owners.pop())
                return self.owner
            now = time.monotonic()
            if owners:
                two_ms += (now - before) * 1000
            else:
                none_ms += (now - before) * 1000
            before = now
        raise NoSingleOwner(none_ms, two_ms)
