"""A link that loses, delays, overtakes and doubles packets, by dice with a seed.

It does what the kernel's netem does, which many kernels lack and no container can load, and whose dice have no seed on
most of those that have it.
"""
import heapq, json, os, random, select, socket, time

from segments import Memory

SOL_PACKET, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING = 263, 15, 23
EVERY_PROTOCOL = 0x0003
# Of the kernel, in front of each packet: sums and pieces that are left to a network card stay so (virtio_net_hdr).
HEADER_BYTES = 10
PACKET_LIMIT = HEADER_BYTES + 14 + (64 << 10)
BUFFER_BYTES = 4 << 20

# What happens to packets, as shares of all, and the milliseconds that one is on its way.
SMOOTH = {"loss": 0.0, "double": 0.0, "overtake": 0.0, "delay": 0.0, "jitter": 0.0}


def rough(dice):
    """What a link is like for a while."""
    return {"loss": dice.choice([0.002, 0.01, 0.01, 0.02]), "double": dice.choice([0, 0.005]),
            "overtake": dice.choice([0.01, 0.03, 0.05]), "delay": dice.choice([0.2, 1, 2]), "jitter": dice.choice([0, 0.3])}


class Link:
    """Joins two interfaces of this network namespace, in a process of its own."""

    def __init__(self, one, other, seed):
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self.control.close()
                relay(one, other, theirs, random.Random(seed))
            finally:
                os._exit(0)
        theirs.close()

    def become(self, quality):
        self.control.send(json.dumps(quality).encode())

    def counts(self):
        """Packets so far, and how many of them were lost, doubled, and overtaken."""
        self.control.send(b"{}")
        return json.loads(self.control.recv(4096))

    def tell(self, path):
        """Writes what the latest TCP segments were, and what happened to them."""
        self.control.send(json.dumps({"path": path}).encode())
        self.control.recv(4096)

    def end(self):
        self.control.close()
        os.waitpid(self.pid, 0)


def attach(interface):
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
    end.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    end.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        end.setsockopt(socket.SOL_SOCKET, option, BUFFER_BYTES)
    end.bind((interface, EVERY_PROTOCOL))
    return end


def relay(one, other, control, dice):
    """Until the control socket is closed."""
    ends = {end.fileno(): end for end in map(attach, (one, other))}
    opposite = dict(zip(ends, reversed(ends.values())))
    quality, counts = SMOOTH, dict(packets=0, lost=0, doubled=0, overtaken=0)
    # By the time at which they arrive; those of one time in the order in which they came.
    under_way, number = [], 0
    memory = Memory()
    poll = select.epoll()
    for descriptor in [*ends, control.fileno()]:
        poll.register(descriptor, select.EPOLLIN)
    while True:
        wait = max(under_way[0][0] - time.monotonic(), 0) if under_way else -1
        for descriptor, _ in poll.poll(wait):
            if descriptor == control.fileno():
                order = control.recv(4096)
                if not order:
                    return
                order = json.loads(order)
                if "path" in order:
                    memory.write(order["path"])
                elif order:
                    quality = order
                    continue
                control.send(json.dumps(counts).encode())
                continue
            now = time.monotonic()
            for packet in received(ends[descriptor]):
                counts["packets"] += 1
                if dice.random() < quality["loss"]:
                    counts["lost"] += 1
                    memory.note(packet[HEADER_BYTES:], "lost")
                    continue
                milliseconds = quality["delay"] + dice.random() * quality["jitter"]
                if dice.random() < quality["overtake"]:
                    counts["overtaken"] += 1
                    milliseconds += dice.uniform(1, 6)
                copies = 1 + (dice.random() < quality["double"])
                counts["doubled"] += copies - 1
                memory.note(packet[HEADER_BYTES:], f"{copies} in {milliseconds:.1f} ms")
                for _ in range(copies):
                    number += 1
                    heapq.heappush(under_way, (now + milliseconds / 1000, number, opposite[descriptor], packet))
        now = time.monotonic()
        while under_way and under_way[0][0] <= now:
            _, _, end, packet = heapq.heappop(under_way)
            try:
                end.send(packet)
            except OSError:
                counts["lost"] += 1


def received(end):
    while True:
        try:
            yield end.recv(PACKET_LIMIT)
        except BlockingIOError:
            return
