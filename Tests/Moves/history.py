"""What clients asked, what the backend carried out, and what came back: the rules, without any network."""
import collections, dataclasses, enum, re

CELL_BYTES = 24
CELL = re.compile(rb"([qa])([0-9a-f]{6})\.([0-9a-f]{8})\.([0-9a-f]{6})\n")
PLACES = [f"{place:06x}\n" for place in range(1 << 15)]


class Way(enum.Enum):
    QUESTION = "q"
    ANSWER = "a"


def content(way, connection, number, size):
    """Bytes that name the request they belong to, the way they go, and where they stand in it."""
    name = f"{way.value}{connection:06x}.{number:08x}."
    cells = PLACES[:-(-size // CELL_BYTES)]
    return (name + name.join(cells)).encode()[:size] if cells else b""


def difference(expected, found):
    """None if both are the same; else where they part, and whose the found bytes are."""
    if expected == found:
        return None
    length = min(len(expected), len(found))
    place = next((place for place in range(length) if expected[place] != found[place]), length)
    around = found[max(0, place - CELL_BYTES):place + 2 * CELL_BYTES]
    owners = sorted({(int(c, 16), int(n, 16), way.decode()) for way, c, n, _ in CELL.findall(around)})
    return (f"{len(found)} bytes instead of {len(expected)}, other ones from byte {place} on: {around!r}; these are of "
            + (", ".join(f"connection {c}, request {n} ({way})" for c, n, way in owners) or "no request"))


class Fate(enum.Enum):
    OPEN = "open"
    ANSWERED = "answered"
    # By the gateway itself, which says that it has no answer of the backend.
    REFUSED = "refused"
    # The connection ended before an answer had come.
    FAILED = "failed"


@dataclasses.dataclass(slots=True)
class Request:
    number: int
    connection: int
    is_safe: bool
    size: int
    answer_size: int
    # The backend takes so long.
    milliseconds: int = 0
    fate: Fate = Fate.OPEN
    executions: int = 0

    @property
    def method(self):
        return "GET" if self.is_safe else "POST"

    @property
    def path(self):
        return f"/numbered/{self.connection}/{self.number}/{self.answer_size}/{self.milliseconds}"

    @property
    def body(self):
        return content(Way.QUESTION, self.connection, self.number, self.size)

    @property
    def answer(self):
        return content(Way.ANSWER, self.connection, self.number, self.answer_size)

    def __str__(self):
        return f"request {self.number} ({self.method}, {self.size} bytes) of connection {self.connection}"


class History:
    """Is told of everything in the order in which it happens, and keeps what should not have happened.

    Numbers are unique in a run, those of requests and those of connections.
    """

    def __init__(self):
        self.problems = []
        self.requests = {}
        self.open = collections.defaultdict(collections.deque)

    def ask(self, request):
        """The client sends it, after those of its connection that are open."""
        assert request.number not in self.requests
        self.requests[request.number] = request
        self.open[request.connection].append(request)

    def execute(self, method, connection, number, body):
        """The backend has received all of a request, and does what it says."""
        request = self.requests.get(number)
        if request is None or request.connection != connection or request.method != method:
            return self.problems.append(f"the backend got {method} {number} of connection {connection}, which nobody asked")
        request.executions += 1
        if not request.is_safe and request.executions > 1:
            self.problems.append(f"{request} was carried out {request.executions} times; it is {request.fate.value}")
        if wrong := difference(request.body, body):
            self.problems.append(f"{request} came to the backend with {wrong}")

    def answer(self, connection, names, body):
        """The client has an answer of the backend, which names the connection and the request that it is for."""
        request = self._next(connection, f"an answer to {names}")
        if request is None:
            return
        request.fate = Fate.ANSWERED
        if names != (connection, request.number):
            self.problems.append(f"{request} got the answer to request {names[1]} of connection {names[0]}")
        if wrong := difference(request.answer, body):
            self.problems.append(f"{request} was answered with {wrong}")
        if request.executions == 0:
            self.problems.append(f"{request} was answered, and the backend never carried it out")

    def refuse(self, connection, status):
        """The client has an answer that is not the backend's."""
        if request := self._next(connection, f"status {status}"):
            request.fate = Fate.REFUSED

    def end(self, connection):
        """The client has no connection any more; what was asked on it may have been carried out or not."""
        for request in self.open.pop(connection, ()):
            request.fate = Fate.FAILED

    def fall_silent(self, connection, what):
        """Nothing comes on the connection for longer than can be."""
        waiting = ", ".join(f"{request}, carried out {request.executions} times"
                            for request in self.open.get(connection, ())) or "nothing asked"
        self.problems.append(f"connection {connection} is silent: {what}; open: {waiting}")

    def count(self):
        """How many requests of each method came to each end."""
        return collections.Counter(f"{request.method} {request.fate.value}" for request in self.requests.values())

    def _next(self, connection, what):
        waiting = self.open.get(connection)
        if not waiting:
            self.problems.append(f"connection {connection} got {what} without having asked")
            return None
        return waiting.popleft()
