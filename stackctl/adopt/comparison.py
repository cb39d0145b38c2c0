"""Compare two proxies by their answers: the requests to send, and the differences that matter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from stackctl.adopt.nginx_conf import NginxConf, ServerBlock, is_challenge
from stackctl.adopt.samples import sample_name, sample_path
from stackctl.observed.reply import Response
from stackctl.proxies.nginx.directives import Directive, named

STRANGER = "stackctl-compare.invalid"
"""A name that no server has (RFC 6761)."""

UNKNOWN = "/stackctl-compare-no-such-file"
FEW = 3
"""How many names of a server are asked for each of its locations; of the others only the first page."""

_BY_THE_PROXY = frozenset(
    {"date", "connection", "keep-alive", "transfer-encoding", "content-length", "server", "alt-svc", "etag"}
)
"""Headers that differ between two correct answers, or between two versions of a proxy (RFC 9110)."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A request that both proxies are sent.

    Attributes:
        port: the port inside the proxy's container.
        at: ``file:line`` of the location or the server that it is meant for.
        server: ``file:line`` of the server.
    """

    host: str
    port: int
    tls: bool
    path: str
    at: str
    method: str = "GET"
    server: str = ""

    @property
    def line(self) -> str:
        """The request as text."""
        scheme, default = ("https", 443) if self.tls else ("http", 80)
        port = "" if self.port == default else f":{self.port}"
        return f"{self.method} {scheme}://{self.host}{port}{self.path}"


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs in the answers to one request.

    Attributes:
        what: ``status``, ``body``, or the name of a header in lower case.
    """

    probe: Probe
    what: str
    old: str
    new: str

    @property
    def line(self) -> str:
        """The difference as one line of text."""
        if self.what == "body":
            return f"{self.probe.line}: another body ({self.old}, then {self.new})"
        label = self.what if self.what == "status" else f"header {self.what}"
        return f"{self.probe.line}: {label} {self.old or 'missing'}, then {self.new or 'missing'}"


def probes(conf: NginxConf) -> tuple[tuple[Probe, ...], tuple[str, ...]]:
    """Return a GET for every location of every server, and a HEAD for each server.

    Also returns ``file:line`` of the locations and servers for which no request could be made up. All of
    it reads only: GET and HEAD are safe (RFC 9110, section 9.2.1).
    """
    found: dict[Probe, None] = {}
    skipped: list[str] = []
    for server in conf.servers:
        paths = list(_paths(server.body, skipped))
        for listen in server.listens:
            if not listen.port or "proxy_protocol" in listen.options or "quic" in listen.options:
                skipped.append(server.at)
                continue
            hosts = _hosts(server)
            if not hosts or listen.default or server == conf.default(listen.port):
                hosts = list(dict.fromkeys([*hosts, STRANGER]))
            for number, host in enumerate(hosts):
                few = number < FEW or host == STRANGER
                own = [("/", server.at), (UNKNOWN, server.at), *paths] if few else [("/", server.at)]
                to = Probe(host, listen.port, listen.tls, "/", server.at, server=server.at)
                found[replace(to, method="HEAD")] = None
                found |= {replace(to, path=path, at=at): None for path, at in own}
    return _distinct(found), tuple(dict.fromkeys(skipped))


def _distinct(found: Iterable[Probe]) -> tuple[Probe, ...]:
    """Return the probes without those that repeat a request for another location."""
    kept = {(one.host, one.port, one.tls, one.path, one.method): one for one in reversed(list(found))}
    return tuple(reversed(kept.values()))


def _hosts(server: ServerBlock) -> list[str]:
    """Return names that requests for a server have; of a pattern, one that it matches."""
    hosts: list[str] = []
    for text in server.names:
        if text.startswith("~"):
            hosts += [sample] if (sample := sample_name(text[1:])) else []
        elif text.startswith(("*.", ".")):
            hosts += [f"stackctl-compare{text.lstrip('*')}"] + ([text[1:]] if text.startswith(".") else [])
        elif text.endswith(".*"):
            hosts.append(f"{text[:-2]}.invalid")
        elif text not in {"", "_"}:
            hosts.append(text)
    return list(dict.fromkeys(hosts))


def _paths(body: Iterable[Directive], skipped: list[str]) -> Iterator[tuple[str, str]]:
    for location in named(body, "location"):
        if is_challenge(location):
            continue
        modifier, pattern = location.args if len(location.args) > 1 else ("", location.arg)
        if pattern.startswith("@") or any(named(location.inner, "internal")):
            continue
        if modifier.startswith("~"):
            sample = sample_path(pattern, ignore_case=modifier == "~*")
            if sample is None:
                skipped.append(location.at)
            else:
                yield sample, location.at
        else:
            yield pattern, location.at
            if modifier != "=":
                yield f"{pattern.rstrip('/')}{UNKNOWN}", location.at
        yield from _paths(location.inner, skipped)


def compared(probe: Probe, old: Sequence[Response], new: Response) -> tuple[Difference, ...]:
    """Return what differs between the answers of the old proxy and one of the new one.

    What differs among the old answers themselves, such as a token in a page, is the app's and not compared.
    """
    first = old[0]
    found = []
    for what in ("status", *_header_names([*old, new]), "body"):
        values = {_value(answer, what) for answer in old}
        now = _value(new, what)
        if len(values) == 1 and now not in values and not (what == "body" and probe.method == "HEAD"):
            found.append(Difference(probe, what, _shown(first, what), _shown(new, what)))
    if any(one.what == "status" for one in found):
        # The rest follows from another status, apart from where it leads.
        return tuple(one for one in found if one.what in {"status", "location"})
    return tuple(found)


def lasting(first: Sequence[Difference], second: Sequence[Difference]) -> tuple[Difference, ...]:
    """Return the differences of a first answer that a second one has too: a cache is empty only once."""
    again = {(one.what, one.old) for one in second}
    return tuple(one for one in first if (one.what, one.old) in again)


def _header_names(answers: Iterable[Response]) -> list[str]:
    return sorted({name for answer in answers for name, _ in answer.headers} - _BY_THE_PROXY)


def _value(answer: Response, what: str) -> object:
    if what == "status":
        return answer.failure or answer.status
    if what == "body":
        return answer.digest
    values = [value for name, value in answer.headers if name == what]
    # The attributes of a cookie are the app's; its value is new in each answer.
    return tuple(value.partition("=")[0] for value in values) if what == "set-cookie" else tuple(values)


def _shown(answer: Response, what: str) -> str:
    if what == "status":
        return str(answer.failure or answer.status)
    if what == "body":
        return f"{answer.length} bytes"
    return ", ".join(value for name, value in answer.headers if name == what)
