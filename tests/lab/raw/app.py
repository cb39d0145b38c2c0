"""An app that reports the request it saw, byte for byte, and answers in every framing; standard library only."""

import io
import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

JSON_TYPE = b"Content-Type: application/json\r\n"
EVENTS = b"Content-Type: text/event-stream\r\n"
EVENT = b"data: %d\n\n"
STUCK = 120.0
COUNT, APART = 3, 0.7
BODY = COUNT * len(EVENT % 0)


def serve(connection: socket.socket) -> None:
    stream = connection.makefile("rb")
    with connection, stream:
        while head := stream.readline():
            lines = []
            while (line := stream.readline().strip()) != b"":
                name, _, value = line.decode("latin-1").partition(":")
                lines.append((name, value.strip()))
            start = head.decode("latin-1").strip()
            if "/stuck" in start:
                # An app all of whose workers are busy: the body waits.
                time.sleep(STUCK)
                return
            length = sum(read(stream, lines))
            if not answer(connection, start, [*lines, ("body-length", str(length))]):
                return


def read(stream: io.BufferedReader, lines: list[tuple[str, str]]) -> Iterator[int]:
    """Read a body, with its length or in chunks; yield the sizes of its parts."""
    said = {name.lower(): value for name, value in lines}
    if said.get("transfer-encoding", "").lower() == "chunked":
        while size := int(stream.readline().split(b";")[0], 16):
            yield len(stream.read(size))
            stream.readline()
        stream.readline()
        return
    left = int(said.get("content-length", 0))
    while left and (part := stream.read(min(left, 1 << 20))):
        left -= len(part)
        yield len(part)


def answer(connection: socket.socket, start: str, lines: list[tuple[str, str]]) -> bool:
    """Answer one request; returns whether the connection goes on."""
    url = urlsplit(start.split(" ")[1])
    said = {name: values[0] for name, values in parse_qs(url.query).items()}
    match url.path.removeprefix("/own").strip("/").split("/"):
        case ["big"]:
            big = b"X-Big: " + b"b" * (int(said["size"]) - 9) + b"\r\n"
            connection.sendall(b"HTTP/1.1 200 OK\r\n" + big + b"Content-Length: 2\r\n\r\nok")
        case ["forbidden"]:
            forbidden = b"Upgrade: h2,h2c\r\nConnection: Upgrade, Keep-Alive\r\nKeep-Alive: timeout=5\r\n"
            forbidden += b"Proxy-Connection: keep-alive\r\n"
            connection.sendall(b"HTTP/1.1 200 OK\r\n" + forbidden + b"Content-Length: 2\r\n\r\nok")
        case ["ws"]:
            upgrade = {name.lower(): value for name, value in lines}.get("upgrade", "")
            if upgrade:
                connection.sendall(
                    f"HTTP/1.1 101 Switching\r\nUpgrade: {upgrade}\r\nConnection: Upgrade\r\n\r\n".encode()
                )
                connection.sendall(connection.recv(100))
                return False
            connection.sendall(b"HTTP/1.1 426 Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n")
        case ["upload"]:
            said_length = dict(lines)["body-length"].encode()
            head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(said_length)
            connection.sendall(head + said_length)
        case ["download"]:
            size = int(said["size"])
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            for begin in range(0, size, 1 << 20):
                connection.sendall(bytes(min(size - begin, 1 << 20)))
        case ["slow"]:
            time.sleep(float(said["seconds"]))
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        case ["events", framing]:
            return events(connection, framing)
        case _:
            body = json.dumps({"start": start, "headers": lines[:-1]}).encode()
            connection.sendall(b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b" % (JSON_TYPE, len(body), body))
    return True


def events(connection: socket.socket, framing: str) -> bool:
    """Send events some time apart; returns whether the connection goes on."""
    head = {
        "chunked": b"HTTP/1.1 200 OK\r\n%bTransfer-Encoding: chunked\r\n\r\n" % EVENTS,
        "length": b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n" % (EVENTS, BODY),
        "close": b"HTTP/1.1 200 OK\r\n%bConnection: close\r\n\r\n" % EVENTS,
        "http10": b"HTTP/1.0 200 OK\r\n%b\r\n" % EVENTS,
    }[framing]
    connection.sendall(head)
    for number in range(COUNT):
        event = EVENT % number
        connection.sendall(b"%x\r\n%b\r\n" % (len(event), event) if framing == "chunked" else event)
        time.sleep(APART)
    if framing == "chunked":
        connection.sendall(b"0\r\n\r\n")
    return framing in {"chunked", "length"}


def main() -> None:
    with socket.create_server(("", int(sys.argv[1]))) as listener:
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=serve, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
