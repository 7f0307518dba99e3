"""What clients do all the while: they keep connections, open new ones, echo, download and upload."""

import asyncio
import random
import time

from backend import DOWNLOAD_PIECE
from checks import Failed


class Load:
    def __init__(self, host, port):
        self.host, self.port = host, port
        self.counts = dict(kept=0, fresh=0, echoes=0, downloads=0, uploads=0, reconnects=0, begun=0)
        self.failures = []
        self.longest_gap = 0.0
        self.last = None
        self.stopping = False
        self.tasks = []

    def fail(self, what, error):
        self.failures.append(f"{time.monotonic():.3f} {what}: {type(error).__name__} {error}")

    async def begin(self, cluster, kept=12, fresh=2, sockets=8, downloads=4, uploads=2):
        """Returns when each kind of load is under way."""
        for index in range(kept):
            self.spawn(self.keep_alive(index))
        for index in range(fresh):
            self.spawn(self.connect_anew(index))
        for index in range(sockets):
            self.spawn(self.echo(index))
        for index in range(downloads):
            self.spawn(self.download(index))
        for index in range(uploads):
            self.spawn(self.upload(index))

        async def is_under_way():
            least = dict(kept=kept, fresh=fresh, echoes=sockets, begun=downloads + uploads)
            return self.failures or all(self.counts[kind] >= count for kind, count in least.items())

        await cluster.wait(is_under_way, "the load is under way")

    def spawn(self, body):
        self.tasks.append(asyncio.create_task(body))

    async def end(self):
        self.stopping = True
        await asyncio.wait_for(asyncio.gather(*self.tasks), 60)

    async def open(self):
        return await asyncio.wait_for(asyncio.open_connection(self.host, self.port), 10)

    async def ask(self, reader, writer, method, path, body=b""):
        writer.write(f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
        lines = head.decode().split("\r\n")
        fields = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:] if line)}
        answer = await asyncio.wait_for(reader.readexactly(int(fields["content-length"])), 60)
        if " 200 " not in lines[0]:
            raise Failed(f"{lines[0]} {answer[:80]}")
        return answer, fields.get("connection", "").lower() == "close"

    def note(self):
        now = time.monotonic()
        if self.last is not None:
            self.longest_gap = max(self.longest_gap, now - self.last)
        self.last = now

    async def keep_alive(self, index):
        reader = writer = None
        number = 0
        while not self.stopping:
            number += 1
            try:
                if writer is None:
                    reader, writer = await self.open()
                path = f"/kept/{index}/{number}"
                answer, ends = await self.ask(reader, writer, "GET", path)
                if answer != f"GET {path} 0".encode():
                    raise Failed(f"the answer to another request: {answer[:80]}")
                self.counts["kept"] += 1
                if ends:
                    self.counts["reconnects"] += 1
                    writer.close()
                    writer = None
            except Exception as error:
                self.fail("a kept connection", error)
                writer = None
            await asyncio.sleep(random.choice([0, 0.002, 0.01, 0.1]))

    async def connect_anew(self, index):
        while not self.stopping:
            try:
                reader, writer = await self.open()
                await self.ask(reader, writer, "GET", f"/fresh/{index}")
                writer.close()
                self.counts["fresh"] += 1
                self.note()
            except Exception as error:
                self.fail("a new connection", error)
            await asyncio.sleep(0.005)

    async def echo(self, index):
        try:
            reader, writer = await self.open()
            writer.write(b"GET /socket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
            if b" 101 " not in head:
                raise Failed(head[:60])
            number = 0
            while not self.stopping:
                number += 1
                message = b"%04d %012d\n" % (index, number)
                writer.write(message)
                if await asyncio.wait_for(reader.readexactly(len(message)), 20) != message:
                    raise Failed("another echo")
                self.counts["echoes"] += 1
                await asyncio.sleep(0.02)
            writer.close()
        except Exception as error:
            self.fail(f"WebSocket {index}", error)

    async def download(self, index):
        while not self.stopping:
            pieces = 200 if index else 40
            try:
                reader, writer = await self.open()
                self.counts["begun"] += 1
                answer, _ = await self.ask(reader, writer, "GET", f"/long/{pieces}")
                if answer != DOWNLOAD_PIECE * pieces:
                    raise Failed("other bytes")
                self.counts["downloads"] += 1
                writer.close()
            except Exception as error:
                self.fail("a download", error)

    async def upload(self, index):
        while not self.stopping:
            try:
                reader, writer = await self.open()
                total = 100 * 1024
                writer.write(f"POST /up/{index} HTTP/1.1\r\nHost: x\r\nContent-Length: {total}\r\n\r\n".encode())
                self.counts["begun"] += 1
                for _ in range(100):
                    writer.write(bytes(1024))
                    await writer.drain()
                    await asyncio.sleep(0.02)
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
                if b" 200 " not in head:
                    raise Failed(head[:60])
                self.counts["uploads"] += 1
                writer.close()
            except Exception as error:
                self.fail("an upload", error)
