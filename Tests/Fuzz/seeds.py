#!/usr/bin/env python3
"""Writes the messages of the vector files as seeds: seeds.py TARGET FOLDER, TARGET request|response|chunked."""
import hashlib
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "Corpus" / "http"))
import vectors  # noqa: E402

METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE", "OTHER"]


def main():
    target, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
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
