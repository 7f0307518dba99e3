"""Reads the vector files of this folder; README.md tells their format."""
import pathlib
import re

FOLDER = pathlib.Path(__file__).parent
SIMPLE = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\"}


def unescape(text):
    """The bytes of one line of a message."""
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


def read(name):
    """Name, method and message of each vector of `requests.vectors` or `responses.vectors`."""
    title, method, message, inside = "", "GET", b"", False
    for line in (FOLDER / name).read_text().split("\n"):
        if line.startswith("== "):
            title, method, message, inside = line[3:], "GET", b"", True
        elif line.startswith("=> "):
            if inside:
                yield title, method, message
            inside = False
        elif inside and line.startswith("method "):
            method = line.removeprefix("method ")
        elif inside and line != ".":
            message += unescape(line)
