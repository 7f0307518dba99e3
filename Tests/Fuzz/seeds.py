#!/usr/bin/env python3
"""Writes the messages of the vector files as seeds: seeds.py VECTORS TARGET FOLDER, TARGET request|response|chunked."""
import hashlib
import pathlib
import re
import sys

METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE", "OTHER"]
SIMPLE = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\"}


def unescape(text):
    """The bytes of one line of a message; the escapes are told in Tests/Corpus/http/README.md."""
    result = b""
    for part in re.finditer(r"\\\[(\d+) (.*?)\]|\\x(..)|\\(.)|([^\\]+)", text):
        count, unit, code, letter, plain = part.groups()
        if count:
            result += unescape(unit) * int(count)
        elif code:
            result += bytes([int(code, 16)])
        elif letter:
            result += SIMPLE[letter]
        else:
            result += plain.encode()
    return result


def vectors(path):
    """The method and message of each vector."""
    method, message, inside = "GET", b"", False
    for line in path.read_text().split("\n"):
        if line.startswith("== "):
            method, message, inside = "GET", b"", True
        elif line.startswith("=> "):
            if inside:
                yield method, message
            inside = False
        elif inside and line.startswith("method "):
            method = line.removeprefix("method ")
        elif inside and line != ".":
            message += unescape(line)


def main():
    source, target, folder = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    for method, message in vectors(source):
        if target == "response":
            message = bytes([METHODS.index(method)]) + message
        if target == "chunked":
            head, _, message = message.partition(b"\r\n\r\n")
            if b"chunked" not in head.lower():
                continue
        (folder / hashlib.sha1(message).hexdigest()).write_bytes(message)


main()
