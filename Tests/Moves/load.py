"""Clients that ask numbered requests, and the backend that carries them out; both tell the history."""
import asyncio, collections, dataclasses, itertools, random, threading, time

from history import Request

# Longer than a client's kernel takes to send something seven times (0.2, 0.4, 0.8 … s apart, RFC 6298): only where
# nothing will ever come it takes longer.
SILENCE_SECONDS = 30
CONNECT_SECONDS = 20
# The other nodes have heard of connections that are as old as this.
UNKNOWN_SECONDS = 1
# A pause of this process that is longer than this is not the gateway's.
PAUSE_SECONDS = 0.5
# Of this share of answers the backend says nothing more, and ends the connection.
ENDINGS = 0.02
# As many clients of each temper, whether they have two addresses to ask or more.
SPACES_OF_ALL = 8


class Clock:
    """Time that does not go on while this program is stopped, as long jobs are while others measure."""

    def __init__(self):
        self.skipped, self.before = 0.0, time.monotonic()

    def beat(self):
        now = time.monotonic()
        self.skipped += max(now - self.before - PAUSE_SECONDS, 0)
        self.before = now

    @property
    def now(self):
        return time.monotonic() - self.skipped


async def read_message(reader):
    """The words of the first line, the fields and the body."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head[:-4].split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return first.split(" "), fields, await reader.readexactly(int(fields.get("content-length", 0)))


class Backend:
    def __init__(self, history, dice):
        self.history, self.dice = history, dice

    async def serve(self, reader, writer):
        try:
            while True:
                (method, path, _), _, body = await read_message(reader)
                if not path.startswith("/numbered/"):
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                    continue
                connection, number, size, milliseconds = map(int, path.split("/")[2:])
                self.history.execute(method, connection, number, body)
                await asyncio.sleep(milliseconds / 1000)
                answer = Request(number, connection, method == "GET", 0, size).answer
                head = f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\nNumber: {number}\r\nClient: {connection}\r\n\r\n"
                writer.write(head.encode() + answer)
                if self.dice.random() < ENDINGS:
                    return
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()


@dataclasses.dataclass(frozen=True)
class Temper:
    """How a client behaves."""

    name: str
    # Seconds from an answer to the next request; None: until the bell rings.
    pause: tuple | None
    at_once: tuple = (1, 1)
    # Bytes of a POST, and of answers.
    sizes: tuple = (0, 20, 200, 4000)
    # For which the backend works.
    milliseconds: tuple = (0, 0)
    # Seconds between the halves of what is sent.
    halt: tuple | None = None


TEMPERS = [
    Temper("resting", None),
    Temper("dozing", (0.2, 0.9)),
    Temper("busy", (0, 0.15)),
    Temper("slow", (0, 0.2), milliseconds=(30, 400)),
    Temper("pipelining", (0, 0.3), at_once=(2, 4), milliseconds=(0, 40)),
    Temper("halting", (0, 0.2), halt=(0, 0.4)),
    Temper("bulky", (0, 0.3), sizes=(8_000, 30_000, 100_000, 300_000)),
]


class Client:
    """Asks on one connection until that ends, and then on another one."""

    def __init__(self, load, temper, space, address, dice):
        self.load, self.temper, self.space, self.address, self.dice = load, temper, space, address, dice
        self.connection, self.reader, self.writer, self.connected_at = None, None, None, 0.0
        # Since when it waits for something, None while it does not.
        self.waiting_since = None
        # The last bell after which it was answered.
        self.answered = 0

    @property
    def rests(self):
        """Whether it has a connection, as far as it knows, on which it asks nothing before the bell rings."""
        return (self.temper.pause is None and self.connection is not None and self.answered == self.load.bell
                and self.reader.exception() is None and not self.reader.at_eof())

    async def run(self):
        while True:
            await self.connect()
            try:
                while True:
                    await self.pause()
                    await self.exchange()
            except (asyncio.IncompleteReadError, ConnectionError) as end:
                self.load.ends[type(end).__name__] += 1
            finally:
                self.waiting_since = None
                self.load.history.end(self.connection)
                self.connection = None
                self.writer.transport.abort()

    async def connect(self):
        self.waiting_since = self.load.clock.now
        while True:
            end = self.load.lab_socket(self.space, self.address)
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    await asyncio.get_running_loop().sock_connect(end, (self.address, self.load.port))
                    self.reader, self.writer = await asyncio.open_connection(sock=end)
            except OSError:
                # Also a timeout.
                end.close()
                await asyncio.sleep(0.02)
                continue
            self.waiting_since = None
            self.connection, self.connected_at = next(self.load.connections), self.load.clock.now
            return

    async def pause(self):
        if self.temper.pause:
            await asyncio.sleep(self.dice.uniform(*self.temper.pause))
        else:
            await self.load.wait_for_bell(self.answered)

    async def exchange(self):
        bell, history = self.load.bell, self.load.history
        requests = [self.request() for _ in range(self.dice.randint(*self.temper.at_once))]
        text = b"".join(
            f"{r.method} {r.path} HTTP/1.1\r\nHost: moves\r\nContent-Length: {r.size}\r\n\r\n".encode() + r.body
            for r in requests)
        for request in requests:
            history.ask(request)
        if self.temper.halt:
            half = self.dice.randrange(1, len(text))
            self.writer.write(text[:half])
            await asyncio.sleep(self.dice.uniform(*self.temper.halt))
            text = text[half:]
        self.writer.write(text)
        for request in requests:
            self.waiting_since = self.load.clock.now
            (_, status, *_), fields, body = await read_message(self.reader)
            waited = self.load.clock.now - self.waiting_since - request.milliseconds / 1000
            self.waiting_since = None
            if "number" in fields:
                history.answer(self.connection, (int(fields["client"]), int(fields["number"])), body)
                self.answered = bell
                self.load.note_wait(self, request, waited)
            else:
                self.load.refusals[status] += 1
                history.refuse(self.connection, status)
            if fields.get("connection", "").lower() == "close":
                raise ConnectionAbortedError

    def request(self):
        is_safe = self.dice.random() < 0.5
        return Request(
            next(self.load.numbers), self.connection, is_safe, 0 if is_safe else self.dice.choice(self.temper.sizes),
            self.dice.choice(self.temper.sizes), self.dice.randint(*self.temper.milliseconds))


class Load:
    """Backend and clients, on a thread of their own."""

    def __init__(self, history, seed, make_socket, spaces, addresses, port, backend):
        self.history, self.lab_socket, self.port, self.backend = history, make_socket, port, backend
        self.numbers, self.connections, self.clock = itertools.count(1), itertools.count(1), Clock()
        self.ends, self.refusals = collections.Counter(), collections.Counter()
        self.bell, self.rung = 1, None
        # When the machine that had an address fell silent for the last time, and when another one had it.
        self.silences = {address: (0.0, 0.0) for address in addresses}
        # Connections that were made right before, or by the kernel of the silent machine: nobody else could know of them.
        self.unknown = 0
        # The longest that a request took of late, and which.
        self.longest = (0.0, "")
        dice = random.Random(f"{seed} load")
        self.server = Backend(history, random.Random(f"{seed} backend"))
        self.clients = [
            Client(self, temper, space, address, random.Random(dice.random()))
            for address in addresses for temper in TEMPERS
            for space in dice.sample(list(spaces), SPACES_OF_ALL // len(addresses))]
        self.loop, self.stopping = None, None
        self.is_running = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self.main()))

    def start(self):
        self.thread.start()
        self.is_running.wait()

    async def main(self):
        self.loop, self.rung, self.stopping = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
        server = await asyncio.start_server(self.server.serve, *self.backend, limit=1 << 20)
        tasks = [asyncio.create_task(client.run()) for client in self.clients]
        tasks += [asyncio.create_task(self.watch()), stop := asyncio.create_task(self.stopping.wait())]
        self.is_running.set()
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        server.close()
        if stop not in done:
            self.history.problems.append(f"the checker itself failed: {[task.exception() for task in done]!r}")

    async def watch(self):
        """For connections on which nothing comes."""
        while True:
            self.clock.beat()
            for client in self.clients:
                if client.waiting_since is not None and self.clock.now - client.waiting_since > SILENCE_SECONDS:
                    self.judge_silence(client)
            await asyncio.sleep(0.05)

    def judge_silence(self, client):
        client.waiting_since = None
        where = f"{client.temper.name}, {client.space}, {client.address}"
        silent_since, silent_until = self.silences[client.address]
        if client.connection is None:
            self.history.problems.append(f"no connection within {SILENCE_SECONDS} s ({where})")
        elif silent_since - UNKNOWN_SECONDS < client.connected_at < silent_until:
            self.unknown += 1
            client.writer.transport.abort()
        else:
            port = client.writer.get_extra_info("sockname")[1]
            age = self.clock.now - client.connected_at
            self.history.fall_silent(client.connection, f"{SILENCE_SECONDS} s, {age:.1f} s old, port {port} ({where})")

    def fall_silent(self, addresses):
        """The machine that has them does."""
        for address in addresses:
            self.silences[address] = (self.clock.now, float("inf"))

    def are_succeeded(self, addresses):
        """Another machine has them."""
        for address in addresses:
            silent_since, silent_until = self.silences[address]
            self.silences[address] = (silent_since, min(silent_until, self.clock.now))

    async def wait_for_bell(self, answered):
        while self.bell == answered:
            await self.rung.wait()

    def stop(self):
        """The history changes no more."""
        if self.thread.is_alive():
            self.loop.call_soon_threadsafe(self.stopping.set)
        self.thread.join()

    def ring(self):
        """Those that rest ask once."""
        async def ring():
            self.bell += 1
            self.rung.set()
            self.rung.clear()
        asyncio.run_coroutine_threadsafe(ring(), self.loop).result()

    def has_heard(self):
        """Whether every client was answered to what it asked after the bell."""
        return all(client.answered == self.bell for client in self.clients)

    def resting(self, addresses):
        """How many connections to them rest."""
        return sum(client.rests for client in self.clients if client.address in addresses)

    def note_wait(self, client, request, seconds):
        if seconds > self.longest[0]:
            self.longest = (seconds, f"{request}, {client.temper.name}, {client.space}, {client.address}")

    def take_longest(self):
        longest, self.longest = self.longest, (0.0, "")
        return longest
