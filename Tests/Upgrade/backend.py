"""The server behind the gateway."""

import asyncio

DOWNLOAD_PIECE = bytes(range(256)) * 4


class Backend:
    """Answers requests, echoes what comes after an upgrade, and sends and takes long bodies slowly."""

    async def start(self, host, port):
        self.server = await asyncio.start_server(self.serve, host, port)

    async def serve(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                lines = head.split("\r\n")
                method, path, _ = lines[0].split(" ")
                fields = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:] if line)}
                if "upgrade" in fields:
                    writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
                    while data := await reader.read(65536):
                        writer.write(data)
                    break
                if path.startswith("/long/"):
                    pieces = int(path.split("/")[2])
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (pieces * len(DOWNLOAD_PIECE)))
                    for _ in range(pieces):
                        writer.write(DOWNLOAD_PIECE)
                        await writer.drain()
                        await asyncio.sleep(0.02)
                    continue
                body = await reader.readexactly(int(fields.get("content-length", 0)))
                text = f"{method} {path} {len(body)}".encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()
