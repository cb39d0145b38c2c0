"""A real nginx with the rendered files of a stack, and apps that are part of it or of the test."""

from __future__ import annotations

import contextlib
import random
import re
import socket
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, Self

from stackctl.certs.dummy import make_dummy
from stackctl.model.backends import Server
from stackctl.model.edge import Behind
from stackctl.model.endpoints import Endpoint, Listener, PortBinding, Scheme
from stackctl.model.http3 import Http3
from stackctl.model.logs import LogFormat
from stackctl.model.routing import Site
from stackctl.model.streams import Stream
from stackctl.proxies.nginx.proxy import Nginx
from stackctl.proxies.proxy import SiteTls
from stackctl.proxies.sites import Rendering
from tests.unit.build import stack, whole

MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so"
VERSIONS = {"1.22": (1, 22, 1), "1.26": (1, 26, 3), "1.30": (1, 30, 4)}

_ECHO = """
    server {{
        listen 127.0.0.1:{port};
        default_type text/plain;
        add_header Location $http_x_say_location always;
        add_header Set-Cookie $http_x_say_cookie always;
        return 200 "{port} $request_method $request_uri $http_x_forwarded_prefix";
    }}
"""
"""An app that answers with its port, and with the method, the target and the prefix that it gets."""


class Ports(NamedTuple):
    """The ports of the proxy."""

    http: int
    https: int


@dataclass(frozen=True)
class Answered:
    """A response."""

    status: int
    headers: Mapping[str, str]
    body: str


class Connection:
    """A kept connection that sends the bytes it is given.

    Args:
        source: the address that it comes from.
        ahead: what is sent first.
        to: the address of IPv4 at which the proxy is asked.
    """

    def __init__(self, port: int, source: str = "127.0.0.1", ahead: bytes = b"", *, to: str = "127.0.0.1") -> None:
        self._place = ("::1" if ":" in source else to, port)
        self._ahead = ahead
        self._source = (source, 0)
        self._open()

    def _open(self) -> None:
        self.socket = socket.create_connection(self._place, timeout=20, source_address=self._source)
        self._file = self.socket.makefile("rb")
        self.socket.sendall(self._ahead)

    def ask(
        self, host: str, method: str, target: str, headers: Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> Answered:
        """Send a request with exactly this target, and return its response."""
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in headers)]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        head = "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")
        self.socket.sendall(head + body)
        return self._answer(method)

    def _answer(self, method: str) -> Answered:
        status = int(self._file.readline().split()[1])
        headers = {}
        while (line := self._file.readline().strip()) != b"":
            name, _, value = line.decode("utf-8", "surrogateescape").partition(": ")
            headers[name.lower()] = value
        if status == 101:
            return Answered(status, headers, "")
        text = b"" if method == "HEAD" else self._body(headers)
        if headers.get("connection") == "close":
            self.close()
            self._open()
        return Answered(status, headers, text.decode("utf-8", "surrogateescape"))

    def _body(self, headers: Mapping[str, str]) -> bytes:
        if headers.get("transfer-encoding") != "chunked":
            return self._file.read(int(headers.get("content-length", "0")))
        whole = b""
        while size := int(self._file.readline(), 16):
            whole += self._file.read(size)
            self._file.readline()
        self._file.readline()
        return whole

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._file.close()
        self.socket.close()


def free_ports(count: int) -> list[int]:
    """Ports of the loopback interface that nobody uses, and that no client gets meanwhile for a connection."""
    found: list[int] = []
    with contextlib.ExitStack() as held:
        while len(found) < count:
            port = random.randrange(10_000, 32_000)  # below net.ipv4.ip_local_port_range
            one = held.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                one.bind(("127.0.0.1", port))
                found.append(port)
    return found


def app(port: int) -> Server:
    """The server on a port of the loopback interface."""
    return Server(Endpoint("127.0.0.1", port))


@contextlib.contextmanager
def serving(
    folder: Path,
    sites: Sequence[Site],
    echoes: Iterable[int] = (),
    *,
    version: str = "1.30",
    custom: Mapping[str, bytes] | None = None,
    behind: Behind | None = None,
    streams: tuple[Stream, ...] = (),
    echo: str = _ECHO,
    http3: bool = False,
    log: Path | None = None,
) -> Iterator[Ports]:
    """Serve sites, with apps on the ports of ``echoes``; yield the ports of the proxy. ``log`` is written as JSON."""
    ports = Ports(*free_ports(2))
    more: dict[str, Any] = {"behind": behind, "streams": streams, "echo": echo, "http3": http3, "json_log": bool(log)}
    write(folder, rendered(sites, ports, echoes, version=version, custom=custom, **more))
    with running(folder, version, log):
        yield ports


def rendered(
    sites: Sequence[Site],
    ports: Ports,
    echoes: Iterable[int] = (),
    *,
    version: str = "1.30",
    custom: Mapping[str, bytes] | None = None,
    behind: Behind | None = None,
    streams: tuple[Stream, ...] = (),
    echo: str = _ECHO,
    http3: bool = False,
    pages: Mapping[str, bytes] | None = None,
    json_log: bool = False,
) -> dict[str, bytes]:
    """Return all files of a proxy that serves ``sites``, by their paths; it has IPv6 if something is in front of it."""
    made = replace(stack(*sites), behind=behind, streams=streams, pages=pages or {})
    made = replace(made, log=LogFormat.JSON if json_log else LogFormat.TEXT)
    listeners: tuple[Listener, ...] = (
        Listener(Scheme.HTTP, ports.http, PortBinding(None, ports.http)),
        Listener(Scheme.HTTPS, ports.https, PortBinding(None, ports.https)),
    )
    if behind is not None and behind.terminated:
        listeners = listeners[:1]
    made = replace(made, proxy=replace(made.proxy, listeners=listeners, ipv6=behind is not None, streams=MODULE))
    if http3:
        made = replace(made, http3=Http3(PortBinding(None, ports.https)))
    tls = {site.name: SiteTls("/etc/nginx/chain.pem", "/etc/nginx/key.pem", frozenset()) for site in sites}
    files = whole(Rendering(Nginx(), VERSIONS[version], custom or {}), made, tls)
    chain, key = make_dummy(["a.example.com"], datetime.now(UTC))
    files |= {"chain.pem": chain, "key.pem": key, "snippets/generation.conf": b""}
    main, _, after = files["nginx.conf"].decode().rpartition("}")
    main = re.sub(r"/var/lib/stackctl/pairs/stored/\S+/fullchain", "/etc/nginx/chain", main)
    main = re.sub(r"/var/lib/stackctl/pairs/stored/\S+/privkey", "/etc/nginx/key", main)
    if not json_log:
        main = main.replace("access_log /dev/stdout main buffer=4k flush=1s;", "access_log off;")
    files["nginx.conf"] = (main + "".join(echo.format(port=port) for port in echoes) + "}" + after).encode()
    return files


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write the files of a proxy below ``folder``."""
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)


@contextlib.contextmanager
def running(folder: Path, version: str, log: Path | None = None) -> Iterator[subprocess.Popen[str]]:
    """Run nginx with the files below ``folder``; its process says what happens, and takes signals."""
    command = [
        *["docker", "run", "--rm", "--network", "host", "--volume", f"{folder}:/etc/nginx:ro"],
        *["--tmpfs", "/run", "--tmpfs", "/var/cache/nginx", "--entrypoint", "nginx", f"stackctl/nginx:{version}"],
        *["-e", "/dev/stderr", "-g", "daemon off;"],
    ]
    out = log.open("wb") if log else contextlib.nullcontext()
    with (
        out as stdout,
        subprocess.Popen(command, stderr=subprocess.PIPE, stdout=stdout, text=True, errors="replace") as process,
    ):
        try:
            wait_for_line(process, "start worker process")
            yield process
        finally:
            process.terminate()
            process.communicate()


def wait_for_line(process: subprocess.Popen[str], text: str) -> None:
    """Read what nginx says up to a line with ``text``."""
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if text in line:
            return
    raise AssertionError("".join(said))
