"""What passed a link of late, for whoever has to find out why a client waits in vain."""
import collections, datetime, socket, time

# Packets, and the bytes of each: those of the headers.
LIMIT, HEADER_BYTES = 300_000, 14 + 40 + 60


class Memory:
    def __init__(self):
        self.packets = collections.deque(maxlen=LIMIT)

    def note(self, frame, fate):
        self.packets.append((time.time(), frame[:HEADER_BYTES], fate))

    def write(self, path):
        with open(path, "w") as file:
            for at, frame, fate in self.packets:
                if segment := described(frame):
                    clock = datetime.datetime.fromtimestamp(at, datetime.timezone.utc)
                    file.write(f"{clock:%H:%M:%S.%f} {segment}, {fate}\n")


def described(frame):
    """A TCP segment in an Ethernet frame: to which machine, from whom to whom, and its header."""
    if frame[12:14] == b"\x08\x00":
        start, size, ends = 14 + (frame[14] & 15) * 4, int.from_bytes(frame[16:18]), (frame[26:30], frame[30:34])
        family, protocol, size = socket.AF_INET, frame[23], size - (frame[14] & 15) * 4
    elif frame[12:14] == b"\x86\xdd":
        start, size, ends = 54, int.from_bytes(frame[18:20]), (frame[22:38], frame[38:54])
        family, protocol = socket.AF_INET6, frame[20]
    else:
        return None
    if protocol != socket.IPPROTO_TCP:
        return None
    tcp = frame[start:]
    ports = int.from_bytes(tcp[:2]), int.from_bytes(tcp[2:4])
    source, target = (f"{socket.inet_ntop(family, end)} {port}" for end, port in zip(ends, ports))
    flags = "".join(letter for bit, letter in enumerate("FSRPA") if tcp[13] >> bit & 1)
    sequence, acknowledged = int.from_bytes(tcp[4:8]), int.from_bytes(tcp[8:12])
    return (f"to {frame[:6].hex(':')}: {source} > {target} {flags} seq {sequence} ack {acknowledged} "
            f"window {int.from_bytes(tcp[14:16])}, {size - (tcp[12] >> 4) * 4} bytes")
