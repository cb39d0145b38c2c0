"""nginx: renders streams, and where the sites listen beside those that share their port."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping

from stackctl.errors import StackfileError
from stackctl.model.endpoints import HTTPS_PORT
from stackctl.model.stack import Stack
from stackctl.model.streams import Stream, StreamPort, Transport
from stackctl.model.values import Domain
from stackctl.proxies.nginx.behind import ahead
from stackctl.proxies.nginx.capabilities import Capabilities
from stackctl.proxies.nginx.directives import Directive
from stackctl.proxies.nginx.layout import CUSTOM, STREAMS
from stackctl.proxies.nginx.reader import parse
from stackctl.proxies.proxy import Files
from stackctl.templates import render

SITES_SOCKET = "/run/stackctl-https.sock"
"""Where the sites get their connections in a stack that passes the TLS of other names on."""

MODULE = "ngx_stream_module.so"
_BUILT_IN = re.compile(r"--with-stream(?![\w=])")
_MODULE = re.compile(rf"^/\S*/{re.escape(MODULE)}$", re.MULTILINE)
_FILE = re.compile(r"(?P<port>\d+)_(?P<transport>tcp|udp)\Z")


def needed_for_streams(printed: str) -> str | None:
    """Return the module to load by the output of ``nginx -V`` and of a list of the file; empty if it is built in."""
    if _BUILT_IN.search(printed):
        return ""
    module = _MODULE.search(printed)
    return module[0] if module else None


def https_listens(stack: Stack, able: Capabilities, *, alone: bool = False) -> tuple[str, ...]:
    """Return the parameters of each ``listen`` of the sites; ``alone`` without streams in front of them."""
    more = " ssl http2" if able.http2 == "listen" else " ssl"
    if stack.passthroughs and not alone:
        return (f"unix:{SITES_SOCKET}{more}{_ahead(able)}",)
    ports = () if stack.proxy.https is None else _everywhere(stack, stack.proxy.https.port)
    return tuple(f"{one}{more}{ahead(stack)}" for one in ports)


def quic_listens(stack: Stack, *, default: bool) -> tuple[str, ...]:
    """Return the parameters of each ``listen`` for HTTP/3; ``default`` is whether they are of the default server.

    That one gives each worker a socket of its own, which is once for all: the packets of a client stay with a worker.
    """
    if stack.http3 is None or not stack.proxy.quic or stack.proxy.https is None:
        return ()
    more = " quic reuseport" if default else " quic"
    return tuple(f"{one}{more}" for one in _everywhere(stack, stack.proxy.https.port))


def https_snippet(stack: Stack, listens: tuple[str, ...]) -> str:
    """Return ``snippets/https.conf``: where the sites listen."""
    listens = (*listens, *quic_listens(stack, default=False))
    return render("nginx/snippets/https.conf.j2", listens=listens, default=False)


def hops(stack: Stack, able: Capabilities) -> bool:
    """Return whether the connections of the sites take a second one inside of the proxy, with the client's address."""
    return bool(stack.passthroughs) and not able.stream_pass


def _ahead(able: Capabilities) -> str:
    return "" if able.stream_pass else " proxy_protocol"


def _everywhere(stack: Stack, port: int) -> tuple[str, ...]:
    return (str(port), *([f"[::]:{port}"] if stack.proxy.ipv6 else []))


def streams_snippets(stack: Stack, able: Capabilities, resolver_valid: int) -> dict[str, str]:
    """Return the snippets for streams; none for a stack without any.

    What an image without streams rejects is in files of its own, and for those that say where the sites listen
    there are others (``.alone``): so the container's program can leave the streams out, and serve the sites.
    """
    if not stack.streams:
        return {}
    files = {"snippets/stream.main": _block(stack, able, resolver_valid)}
    if stack.proxy.streams:
        files["snippets/stream.load"] = f"load_module {stack.proxy.streams};\n"
    if stack.passthroughs:
        ways = {"default.conf": (True, False), "default.conf.alone": (True, True), "https.conf.alone": (False, True)}
        for name, (default, alone) in ways.items():
            listens = (*https_listens(stack, able, alone=alone), *quic_listens(stack, default=default))
            files[f"snippets/{name}"] = render("nginx/snippets/https.conf.j2", listens=listens, default=default)
    return files


def _block(stack: Stack, able: Capabilities, resolver_valid: int) -> str:
    return render(
        "nginx/streams.conf.j2",
        resolver_valid=resolver_valid,
        passes=bool(stack.passthroughs),
        hops=hops(stack, able),
        sites_socket=SITES_SOCKET,
        trusted=list(map(str, stack.behind.trusted)) if hops(stack, able) and stack.behind else [],
        listens=[f"{one} so_keepalive=on{ahead(stack)}" for one in _everywhere(stack, stack.proxy.for_visitors.port)],
    )


def stream_files(stack: Stack, stream: Stream, able: Capabilities) -> Files:
    """Return ``streams/NAME.conf``; ``.sni`` says for which name it is."""
    path = f"{STREAMS}/{_file(stream)}"
    text = render(
        "nginx/stream.conf.j2",
        name=stream.port or stream.name,
        upstream=stream.upstream,
        listens=list(_listens(stack, stream, able)),
        settings=list(_settings(stream, able)),
    )
    files = {f"{path}.conf": text.encode()}
    if stream.port is None:
        files[f"{path}.sni"] = f"{stream.name} unix:{_socket(stream)};\n".encode()
    return files


def stream_of(path: str) -> Domain | None:
    """Return the name of the stream that a file of a generation is about, or None."""
    folder, _, name = path.partition("/")
    if folder != STREAMS:
        return None
    stem = name.rpartition(".")[0]
    match = _FILE.match(stem)
    return Domain(f"{match['port']}/{match['transport']}" if match else stem)


def file_of(name: Domain) -> str:
    """Return the path of the files of a stream, without what they end with."""
    return f"{STREAMS}/{name.replace('/', '_')}"


def _file(stream: Stream) -> str:
    return file_of(stream.name).removeprefix(f"{STREAMS}/")


def _socket(stream: Stream) -> str:
    """Return the socket of a name: its path must be short, whatever the name is."""
    return f"/run/stackctl-{hashlib.sha256(stream.name.encode()).hexdigest()[:16]}.sock"


def _listens(stack: Stack, stream: Stream, able: Capabilities) -> Iterator[str]:
    if stream.port is None:
        # A second connection takes off what the sites need in front: the app gets what the client sent.
        yield f"unix:{_socket(stream)}{_ahead(able)}"
        return
    for one in _everywhere(stack, stream.port.at.port):
        # Packets of one client reach one worker, and from there the app by one port.
        yield f"{one} udp reuseport" if stream.transport is Transport.UDP else f"{one} so_keepalive=on"


def _settings(stream: Stream, able: Capabilities) -> Iterator[str]:
    if stream.port is None and not able.stream_pass:
        yield "set_real_ip_from unix:;"
    if stream.transport is Transport.UDP:
        yield "# Nothing ends an exchange of packets but silence."
        yield "proxy_timeout 2m;"
    yield from (f"allow {network};" for network in stream.allow)
    if stream.allow:
        yield "deny all;"


def refuse_clashes(stack: Stack, custom: Mapping[str, bytes], able: Capabilities) -> None:
    """Refuse the user's own directives that take a port of a stream: ``nginx -t`` would not, and a start would fail.

    Raises:
        StackfileError: with the place of the directive.
    """
    taken = {
        stream.port.at.port: stream
        for stream in stack.streams
        if isinstance(stream.listen, StreamPort) and stream.port is not None and stream.transport is Transport.TCP
    }
    passing = next(iter(stack.passthroughs), None)
    if passing is not None:
        taken[HTTPS_PORT] = passing
    for name, content in custom.items() if taken else ():
        for one in _all(parse(content, (CUSTOM / name).path)) if name.endswith(".conf") else ():
            port = one.arg.rpartition(":")[2]
            if one.name == "listen" and port.isdigit() and int(port) in taken:
                stream = taken[int(port)]
                what = f"port {port} belongs to the stream of {stream.where}"
                hint = "write 'include snippets/https.conf;' in its place" if stream is passing else "use another port"
                raise StackfileError(what, where=one.at, hint=hint)
            if one.name == "real_ip_header" and passing is not None and hops(stack, able):
                raise StackfileError(
                    f"{one.head} does not go together with the stream of {passing.where}, in front of all sites",
                    where=one.at,
                    hint="remove one of them",
                )


def _all(directives: tuple[Directive, ...]) -> Iterator[Directive]:
    for one in directives:
        yield one
        yield from _all(one.inner)
