"""A FastCGI responder that shows the parameters it gets."""

import socket
import struct
from io import BufferedIOBase


def read(stream: BufferedIOBase) -> tuple[dict[str, str], int]:
    """Return the parameters of one request, and the length of its body."""
    found, size = b"", 0
    while head := stream.read(8):
        _, kind, _, length, padding = struct.unpack("!BBHHBx", head)
        content = stream.read(length + padding)[:length]
        if kind == 4:
            found += content
        size += length if kind == 5 else 0
        if kind == 5 and not length:
            break
    params = {}
    while found:
        sizes = []
        for _ in range(2):
            long = found[0] & 0x80
            sizes.append(struct.unpack("!I", found[:4])[0] & 0x7FFFFFFF if long else found[0])
            found = found[4 if long else 1 :]
        name, value, found = found[: sizes[0]], found[sizes[0] : sum(sizes)], found[sum(sizes) :]
        params[name.decode()] = value.decode()
    return params, size


SHOWN = (
    "SCRIPT_FILENAME",
    "REQUEST_METHOD",
    "QUERY_STRING",
    "REQUEST_URI",
    "PATH_INFO",
    "HTTPS",
    "SERVER_NAME",
    "HTTP_HOST",
)
server = socket.create_server(("", 9000))
while True:
    connection, _ = server.accept()
    params, size = read(connection.makefile("rb"))
    lines = [f"{name}={params.get(name)}" for name in SHOWN] + [f"body={size}"]
    body = ("Content-Type: text/plain\r\n\r\n" + "\n".join(lines)).encode()
    for start in range(0, len(body), 60000):
        part = body[start : start + 60000]
        connection.sendall(struct.pack("!BBHHBx", 1, 6, 1, len(part), 0) + part)
    connection.sendall(struct.pack("!BBHHBx", 1, 6, 1, 0, 0) + struct.pack("!BBHHBx", 1, 3, 1, 8, 0) + bytes(8))
    connection.close()
