"""Clients: those whose connections rest while a fault happens, and those that connect all the while."""
import select, socket, time

from machines import VIP, Patience

# Connections that rest while a fault happens, how long before it they do, and how long their next answers may take.
RESTING, REST_SECONDS, KEPT_SECONDS = 50, 0.5, 2
# What clients wait for an answer.
LIMIT = 0.2


class RestingConnections:
    """Connections on which one request was answered, and that wait for the next."""

    REQUEST = b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n"

    def __init__(self):
        connections = []
        for _ in range(RESTING):
            try:
                connections.append(socket.create_connection((VIP, 8080), timeout=KEPT_SECONDS))
            except OSError:
                pass
        self.connections = self.ask(connections)
        time.sleep(REST_SECONDS)

    def ask(self, connections):
        """Those that are answered in time."""
        poll, waiting, good = select.epoll(), {}, []
        for connection in connections:
            connection.setblocking(False)
            try:
                connection.send(self.REQUEST)
            except OSError:
                continue
            waiting[connection.fileno()] = connection
            poll.register(connection.fileno(), select.EPOLLIN)
        patience = Patience(KEPT_SECONDS)
        while waiting and not patience.is_over():
            for descriptor, _ in poll.poll(0.05):
                connection = waiting.pop(descriptor)
                poll.unregister(descriptor)
                try:
                    if connection.recv(65536).startswith(b"HTTP/1.1 200"):
                        good.append(connection)
                except OSError:
                    pass
        poll.close()
        return good

    def end(self):
        """How many there were, and how many of them were kept."""
        kept = len(self.ask(self.connections))
        for connection in self.connections:
            connection.close()
        return len(self.connections), kept


class Attempts:
    """Connections that are opened one after the other, each for one request."""

    REQUEST = b"GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n"

    def __init__(self):
        self.poll, self.pending, self.opened = select.epoll(), {}, 0
        # When those began that failed, and when it was noticed last.
        self.failed, self.last_failure = [], time.monotonic()

    def open(self, now):
        attempt = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        attempt.connect_ex((VIP, 8080))
        self.poll.register(attempt.fileno(), select.EPOLLOUT)
        self.pending[attempt.fileno()] = (attempt, now)
        self.opened += 1

    def go_on(self, seconds):
        """Does what can be done, for which it waits so long at the most."""
        for descriptor, events in self.poll.poll(seconds):
            attempt, _ = self.pending[descriptor]
            try:
                if events & select.EPOLLOUT and not events & (select.EPOLLHUP | select.EPOLLERR):
                    attempt.send(self.REQUEST)
                    self.poll.modify(descriptor, select.EPOLLIN)
                    continue
                is_good = attempt.recv(4096).startswith(b"HTTP/1.1 200")
            except OSError:
                is_good = False
            self.close(descriptor, is_good)
        self.give_up(LIMIT)

    def give_up(self, seconds):
        """Those that have waited for so long."""
        now = time.monotonic()
        while self.pending:
            descriptor, (_, began) = next(iter(self.pending.items()))
            if now - began < seconds:
                break
            self.close(descriptor, False)

    def close(self, descriptor, is_good):
        attempt, began = self.pending.pop(descriptor)
        attempt.close()
        if not is_good:
            self.failed.append(began)
            self.last_failure = time.monotonic()

    def end(self):
        """Those that are under way count as failed when they have waited for half of their time."""
        self.give_up(LIMIT / 2)
        for attempt, _ in self.pending.values():
            attempt.close()
        self.poll.close()
