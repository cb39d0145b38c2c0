"""Convert the block ``stream`` of an nginx configuration: plain TCP and UDP, and TLS passed on by its name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from stackctl.adopt.mapping import LOGS
from stackctl.adopt.nginx_conf import domain_or_none
from stackctl.adopt.proposal import Handling, ProposedStream, Remark
from stackctl.errors import InputError
from stackctl.model import match_values
from stackctl.model.endpoints import HTTPS_PORT, Endpoint
from stackctl.model.project import PublishedPort
from stackctl.model.streams import StreamPort, Transport
from stackctl.model.values import Domain
from stackctl.proxies.nginx.directives import Directive, every, first, named, seconds
from stackctl.stackfile.streams import stream_upstream

_LISTEN = re.compile(r"(?:(?P<address>\[[^\]]*\]|[^:\[\]]+):)?(?P<port>\d+)\Z")
_EVERYWHERE = frozenset({None, "*", "0.0.0.0", "[::]"})  # noqa: S104  (compared, not bound)
_HERE = frozenset({"127.0.0.1", "localhost", "::1"})
_NAME = "$ssl_preread_server_name"
_TUNED = frozenset(
    {
        *("map_hash_bucket_size", "map_hash_max_size", "variables_hash_bucket_size", "variables_hash_max_size"),
        *("preread_buffer_size", "preread_timeout", "proxy_buffer_size", "proxy_socket_keepalive", "tcp_nodelay"),
        *("proxy_connect_timeout", "proxy_download_rate", "proxy_upload_rate", "proxy_responses", "proxy_requests"),
        *("proxy_next_upstream", "proxy_next_upstream_timeout", "proxy_next_upstream_tries", "proxy_half_close"),
        *("resolver", "resolver_timeout", "log_format", "open_log_file_cache", "ssl_preread", *LOGS),
    }
)
"""Directives that affect neither who is served nor what is passed on; stackctl sets its own."""

_READ = frozenset({"listen", "proxy_pass", "allow", "deny", "proxy_timeout", "server", "upstream", "map", "set"})
_IDLE = {Transport.TCP: "24h", Transport.UDP: "2m"}
_LOCAL = frozenset({"proxy_protocol"})
"""What only the way to the proxy's own sites may have."""


@dataclass(frozen=True, slots=True)
class PassedOn:
    """What the blocks ``stream`` mean.

    Attributes:
        inner: what the sites' own connections are passed on to: a port, or a Unix socket with its prefix.
    """

    streams: tuple[ProposedStream, ...] = ()
    inner: frozenset[str] = frozenset()
    remarks: tuple[Remark, ...] = ()


def read_streams(main: Iterable[Directive], ports: Sequence[PublishedPort], own: Iterable[str]) -> PassedOn:
    """Return the streams of the blocks in ``main``.

    ``ports`` are those that the proxy publishes, ``own`` its names; what has no equivalent is a remark with its name.
    """
    body = [one for block in named(main, "stream") for one in block.inner]
    reading = _Reading(body, ports, _HERE | set(own))
    for server in named(body, "server"):
        reading.take(server)
    return PassedOn(tuple(reading.streams), frozenset(reading.inner), tuple(reading.remarks))


@dataclass(frozen=True, slots=True)
class _Listen:
    port: int
    transport: Transport


class _NoEquivalent(Exception):
    """What ``x-stackctl.streams`` cannot say, and where it is."""

    def __init__(self, text: str, at: str) -> None:
        super().__init__(text)
        self.at = at


@dataclass
class _Reading:
    body: Sequence[Directive]
    ports: Sequence[PublishedPort]
    own: frozenset[str]
    streams: list[ProposedStream] = field(default_factory=list)
    inner: set[str] = field(default_factory=set)
    remarks: list[Remark] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.groups: Mapping[str, Directive] = {one.arg: one for one in named(self.body, "upstream")}
        for one in self.body:
            if one.name not in _TUNED | _READ:
                self._remark(Handling.UNSUPPORTED, f"{one.head} in 'stream' has no key in x-stackctl", one.at)

    def take(self, server: Directive) -> None:
        """Add the streams of a server, or the remark that names what has none."""
        try:
            self._take(server)
        except _NoEquivalent as found:
            self._remark(Handling.UNSUPPORTED, f"{found}: 'stream' is adopted where it passes connections on", found.at)

    def _take(self, server: Directive) -> None:
        body = server.inner
        for one in body:
            if one.name not in _TUNED | _READ | _LOCAL:
                raise _NoEquivalent(one.head, one.at)
        listens = dict.fromkeys(_listen(one) for one in named(body, "listen"))
        passed = first(body, "proxy_pass")
        if passed is None or not listens:
            raise _NoEquivalent("a server without proxy_pass", server.at)
        constant = next((one.args[1] for one in named(body, "set") if one.args[:1] == (passed.arg,)), passed.arg)
        passed = replace(passed, args=(constant,))
        allow = self._allowed(body)
        for listen in listens:
            if passed.arg.startswith("$") or self._is_own(self._target(passed.arg)):
                self._by_name(listen, passed, body, allow)
            else:
                _refuse_protocol(body)
                self._by_port(listen, self._target(passed.arg), body, allow)

    # A port

    def _by_port(self, listen: _Listen, target: str, body: Sequence[Directive], allow: tuple[str, ...]) -> None:
        at = next(iter(named(body, "listen"))).at
        there = [one.at for one in self.ports if (one.target, one.transport) == (listen.port, listen.transport)]
        if not there:
            text = f"port {listen.port}/{listen.transport} is not published, as a stream of x-stackctl is"
            raise _NoEquivalent(text, at)
        upstream = _upstream(target, at)
        for binding in there[:1]:
            port = StreamPort(binding, listen.transport)
            self.streams.append(ProposedStream(upstream, port, allow, at, inside=listen.port))
            self._remark(Handling.REPLACED, f"port {port} is a stream to {upstream}", at)
            if binding.port != listen.port:
                moved = f"containers reach this stream at port {binding.port} of the proxy, not at {listen.port}"
                self._remark(Handling.CHANGED, moved, at)
        if len(there) > 1:
            text = f"port {listen.port} is published {len(there)} times: only {there[0]} is a stream from now on"
            self._remark(Handling.UNSUPPORTED, text, at)
        self._idle(listen, body, at)

    def _idle(self, listen: _Listen, body: Sequence[Directive], at: str) -> None:
        found = first([*body, *self.body], "proxy_timeout")
        was, now = (seconds(found.arg) or found.arg) if found else "10m", _IDLE[listen.transport]
        if was != now:
            text = f"connections to port {listen.port} are closed after {now} without data, not after {was}"
            self._remark(Handling.CHANGED, text, found.at if found else at)

    # A name

    def _by_name(self, listen: _Listen, passed: Directive, body: Sequence[Directive], allow: tuple[str, ...]) -> None:
        if listen != _Listen(HTTPS_PORT, Transport.TCP):
            text = f"'proxy_pass {passed.arg}' on port {listen.port}: names are passed on from port {HTTPS_PORT} only"
            raise _NoEquivalent(text, passed.at)
        if allow:
            raise _NoEquivalent("allow and deny in front of all sites", passed.at)
        ways = dict(self._ways(passed, body))
        others = {name: target for name, target in ways.items() if not self._is_own(target[0])}
        if others:
            _refuse_protocol(body)
        if "default" in others:
            text = f"unknown names are passed on to {others['default'][0]}: a stream has the name that it is for"
            raise _NoEquivalent(text, others["default"][1])
        streams = [ProposedStream(_upstream(*way), _domain(name, way[1]), (), way[1]) for name, way in others.items()]
        self.streams += streams
        for one in streams:
            self._remark(Handling.REPLACED, f"TLS for {one.listen} is a stream to {one.upstream}", one.at)
        for target, at in (way for name, way in ways.items() if name not in others):
            self.inner.add(target.rpartition(":")[2] if not target.startswith("unix:") else target)
            self._remark(Handling.REPLACED, "the way of TLS to the sites, which share port 443 with streams", at)

    def _ways(self, passed: Directive, body: Sequence[Directive]) -> Iterator[tuple[str, tuple[str, str]]]:
        """Yield where the connections for each name lead to, with the place; ``default`` is for all others."""
        if not passed.arg.startswith("$"):
            yield "default", (self._target(passed.arg), passed.at)
            return
        found = next((one for one in named(self.body, "map") if one.args[-1:] == (passed.arg,)), None)
        if found is None or found.arg != _NAME or first(body, "ssl_preread") is None:
            raise _NoEquivalent(f"'proxy_pass {passed.arg}' is chosen by something else than a name of TLS", passed.at)
        for one in found.inner:
            if one.name not in {"hostnames", "volatile"}:
                yield one.name.lower(), (self._target(one.arg), one.at)

    # Both

    def _target(self, text: str) -> str:
        """Return the address behind a name of a group."""
        group = self.groups.get(text)
        if group is None:
            return text
        servers = list(named(group.inner, "server"))
        other = next((one for one in group.inner if one.name not in {"server", "zone"}), None)
        if len(servers) != 1 or other is not None:
            what = f"'{other.head}'" if other is not None else f"{len(servers)} servers"
            raise _NoEquivalent(f"the group {text} with {what}", other.at if other else group.at)
        return servers[0].arg

    def _is_own(self, target: str) -> bool:
        """Whether a target is the proxy itself."""
        return target.startswith("unix:") or target.rpartition(":")[0].strip("[]") in self.own

    def _allowed(self, body: Sequence[Directive]) -> tuple[str, ...]:
        """Return the networks that are let through; empty for all."""
        rules = list(named(body, "allow", "deny")) or list(named(self.body, "allow", "deny"))
        if not any(one.name == "deny" for one in rules):
            return ()
        *allowed, last = rules
        if last.args != ("all",) or last.name != "deny" or any(one.name == "deny" for one in allowed):
            raise _NoEquivalent("deny in front of allow", next(one.at for one in rules if one.name == "deny"))
        for one in allowed:
            try:
                match_values.network(one.arg)
            except InputError as error:
                raise _NoEquivalent(one.head, one.at) from error
        if not allowed:
            raise _NoEquivalent("deny all", last.at)
        return tuple(one.arg for one in allowed)

    def _remark(self, handling: Handling, text: str, at: str) -> None:
        self.remarks.append(Remark(handling, text, at))


def _listen(one: Directive) -> _Listen:
    match, options = _LISTEN.match(one.arg), set(one.args[1:])
    if match is None or match["address"] not in _EVERYWHERE or options & {"ssl", "proxy_protocol"}:
        raise _NoEquivalent(one.head, one.at)
    return _Listen(int(match["port"]), Transport.UDP if "udp" in options else Transport.TCP)


def _upstream(target: str, at: str) -> Endpoint:
    try:
        return stream_upstream(target)
    except InputError as error:
        raise _NoEquivalent(f"'proxy_pass {target}' is no host with a port", at) from error


def _domain(text: str, at: str) -> Domain:
    name = domain_or_none(text)
    if name is None:
        raise _NoEquivalent(f"the pattern {text}, as a stream has one name", at)
    return name


def _refuse_protocol(body: Sequence[Directive]) -> None:
    found = first(body, "proxy_protocol")
    if found is not None and found.arg != "off":
        raise _NoEquivalent(f"{found.head} to an app", found.at)


# The servers behind them

_PEERS = re.compile(r"(?:unix:|127\.0\.0\.\d+(?:/\d+)?|localhost|::1)\Z")
_ADDRESS = {"$proxy_protocol_addr": "$remote_addr", "$proxy_protocol_port": "$remote_port"}


def without_streams(directives: Iterable[Directive], passed_on: PassedOn) -> Iterator[Directive]:
    """Yield the rest of a configuration as clients reach it: on port 443 where a stream passes connections on to it."""
    for one in directives:
        if one.name == "http" and passed_on.inner:
            protocol = any(_is_inner(each, passed_on.inner) and "proxy_protocol" in each.args for each in every([one]))
            yield one.with_block(_outer(one.inner, passed_on.inner, protocol=protocol))
        elif one.name != "stream":
            yield one


def _outer(directives: Iterable[Directive], inner: frozenset[str], *, protocol: bool) -> Iterator[Directive]:
    for one in directives:
        if protocol and _says_who_asks(one):
            continue
        if _is_inner(one, inner):
            yield replace(one, args=(str(HTTPS_PORT), *(each for each in one.args[1:] if each != "proxy_protocol")))
            continue
        args = tuple(_with_address(arg) for arg in one.args) if protocol else one.args
        block = None if one.block is None else tuple(_outer(one.inner, inner, protocol=protocol))
        yield replace(one, args=args, block=block)


def _is_inner(one: Directive, inner: frozenset[str]) -> bool:
    if one.name != "listen":
        return False
    return one.arg in inner or (not one.arg.startswith("unix:") and one.arg.rpartition(":")[2] in inner)


def _says_who_asks(one: Directive) -> bool:
    """Whether it takes the client's address from in front of a connection inside the proxy, as stackctl does itself."""
    if one.name == "real_ip_header":
        return one.arg == "proxy_protocol"
    return one.name == "set_real_ip_from" and bool(_PEERS.match(one.arg))


def _with_address(arg: str) -> str:
    for name, value in _ADDRESS.items():
        arg = arg.replace(name, value)
    return arg
