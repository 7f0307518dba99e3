#!/usr/bin/env python3
"""What gwnode forwards must be the same message to an independent parser: compare.py PROGRAM [ROUNDS] [SEED].

Sends every vector, and ROUNDS (default 20) mutations of each, through PROGRAM (Forward.swift) and reads the result
with h11. Prints each disagreement with its bytes; exit code 1 if there is one.
"""
import pathlib
import random
import subprocess
import sys

import h11

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "Corpus" / "http"))
import vectors  # noqa: E402

FAVOURITES = b"\r\n :,;\t\0/%.?#[]0159afHC\x7f\x80\xff"
LARGEST_EVENT = 200_000


def mutated(message, source):
    """A few bytes changed, inserted, removed or repeated."""
    message = bytearray(message)
    for _ in range(source.randint(1, 4)):
        if not message:
            break
        index = source.randrange(len(message))
        byte = source.choice(FAVOURITES) if source.random() < 0.7 else source.randrange(256)
        match source.randrange(4):
            case 0: message[index] = byte
            case 1: message.insert(index, byte)
            case 2: del message[index]
            case 3:
                where = source.randrange(len(message))
                message[where:where] = message[index:index + source.randint(1, 40)]
    return bytes(message)


def events(connection, data):
    """The events that h11 sees, up to the end of the message or of the bytes."""
    connection.receive_data(data)
    while True:
        event = connection.next_event()
        if event in (h11.NEED_DATA, h11.PAUSED):
            return
        yield event
        if isinstance(event, (h11.EndOfMessage, h11.InformationalResponse, h11.ConnectionClosed)):
            return


def read_request(data):
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=LARGEST_EVENT)
    return connection, list(events(connection, data))


def read_response(method, data):
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=LARGEST_EVENT)
    # Of the methods only HEAD changes how a response is framed; h11 takes 101 only where an upgrade was asked for.
    headers = [("Host", "a"), ("Connection", "upgrade"), ("Upgrade", "websocket")]
    connection.send(h11.Request(method="HEAD" if method == "HEAD" else "GET", target="/", headers=headers))
    connection.send(h11.EndOfMessage())
    return connection, list(events(connection, data))


def disagreement(kind, method, forwarded, is_complete, body):
    """Why h11 does not see one message with this body; None if it does."""
    try:
        connection, seen = read_request(forwarded) if kind == "request" else read_response(method, forwarded)
    except h11.RemoteProtocolError as error:
        return f"h11 refuses it: {error}"
    if not seen:
        return "h11 sees no head"
    data = b"".join(bytes(event.data) for event in seen if isinstance(event, h11.Data))
    if data != body:
        return f"h11 reads the body {data!r}, not {body!r}"
    is_interim = isinstance(seen[0], h11.InformationalResponse)
    ended = is_interim or isinstance(seen[-1], h11.EndOfMessage)
    if ended != is_complete:
        return f"h11 says that the message {'ends' if ended else 'does not end'}"
    rest = connection.trailing_data[0]
    if rest:
        return f"h11 leaves {rest!r}"
    if isinstance(seen[0], h11.Request):
        line = seen[0].method + b" " + seen[0].target + b" HTTP/1.1"
        if not forwarded.startswith(line + b"\r\n"):
            return f"h11 reads the request line {line!r}"
    return None


def main():
    program = sys.argv[1]
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    source = random.Random(seed)
    cases = []
    for kind, name in (("request", "requests.vectors"), ("response", "responses.vectors")):
        for title, method, message in vectors.read(name):
            if len(message) > 10_000:
                continue
            cases.append((kind, method, title, message))
            cases += [(kind, method, f"{title}, mutated", mutated(message, source)) for _ in range(rounds)]
    lines = (f"request {m.hex()}" if k == "request" else f"response {how} {m.hex()}" for k, how, _, m in cases if m)
    cases = [case for case in cases if case[3]]
    result = subprocess.run([program], input="\n".join(lines), capture_output=True, text=True, check=True)
    forwarded, failures = 0, 0
    for (kind, method, title, message), line in zip(cases, result.stdout.splitlines(), strict=True):
        outcome, *values = line.split(" ")
        if outcome != "forwarded":
            continue
        forwarded += 1
        data, complete, body = values
        why = disagreement(
            kind, method, bytes.fromhex(data), complete == "yes", b"" if body == "-" else bytes.fromhex(body))
        if why:
            failures += 1
            print(f"{title}: {why}\n  came in as {message!r}\n  went out as {bytes.fromhex(data)!r}")
    print(f"{len(cases)} messages, {forwarded} forwarded, {failures} read differently (seed {seed})")
    sys.exit(1 if failures else 0)


main()
