#!/usr/bin/env python3
"""Writes seeds: seeds.py TARGET FOLDER. For request, response and chunked they are the messages of the vector files."""
import hashlib
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "Corpus" / "http"))
import vectors  # noqa: E402

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
INTRODUCTIONS = [
    b"PROXY TCP4 192.0.2.7 203.0.113.1 49152 443\r\n",
    b"PROXY TCP6 2001:db8::7 2001:db8::1 49152 443\r\n",
    b"PROXY UNKNOWN\r\n",
    SIGNATURE + b"\x20\0\0\0",
    SIGNATURE + b"\x21\x11\0\x0c" + bytes(range(12)),
    SIGNATURE + b"\x21\x21\0\x24" + bytes(range(36)),
    SIGNATURE + b"\x21\x31\0\xd8" + bytes(range(216)),
]
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE", "OTHER"]


def main():
    target, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    if target == "introduction":
        for message in INTRODUCTIONS:
            (folder / hashlib.sha1(message).hexdigest()).write_bytes(message)
        return
    name = "responses.vectors" if target == "response" else "requests.vectors"
    for _, method, message in vectors.read(name):
        if target == "response":
            message = bytes([METHODS.index(method)]) + message
        if target == "chunked":
            head, _, message = message.partition(b"\r\n\r\n")
            if b"chunked" not in head.lower():
                continue
        (folder / hashlib.sha1(message).hexdigest()).write_bytes(message)


main()
