"""What listens in a HAProxy configuration: where, which rules choose a back end, and the lines that have no key."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from stackctl.adopt.haproxy.backends import OWN_OPTIONS, is_set_header, of_backend, same_time
from stackctl.adopt.haproxy.collecting import Collector, condition_at, split_rule
from stackctl.adopt.haproxy.conditions import Acls, Alternatives, ReadFile, read_acls, read_condition
from stackctl.adopt.haproxy.headers import EdgeKeys
from stackctl.adopt.haproxy.redirects import HostRedirect, HostsRedirect, host_redirect, https_redirect, is_redirect
from stackctl.adopt.haproxy.sections import Section
from stackctl.adopt.haproxy.words import Line
from stackctl.adopt.proposal import Handling
from stackctl.errors import InputError
from stackctl.model import match_values
from stackctl.model.endpoints import HTTP_PORT, HTTPS_PORT

_PORT = re.compile(r":(?P<port>\d+)\Z")
_SILENT = frozenset(
    {"acl", "bind", "mode", "use_backend", "default_backend", "server", "server-template", "description", "id", "guid"}
)
_REPLACED = frozenset({"log", "log-format", "log-format-sd", "log-tag", "error-log-format", "log-steps", "capture"})
_DENIES = (("http-request", "deny"), ("http-request", "deny", "deny_status", "403"))
_MAP = re.compile(
    r"%\[(?:req\.)?f?hdr\(host\)(?:,(?:lower|field\(1,:\)|host_only))*,"
    r"map(?:_str)?\((?P<file>[^,)]+)(?:,(?P<default>[^)]*))?\)\]\Z"
)


@dataclass(frozen=True, slots=True)
class Bind:
    """One address of a ``bind`` line.

    Attributes:
        port: None if it is no port.
        certificates: the words of ``crt`` and ``crt-list``, each with its value.
    """

    port: int | None
    tls: bool
    quic: bool
    certificates: tuple[tuple[str, str], ...]
    line: Line


@dataclass(frozen=True, slots=True)
class Rule:
    """A back end, and the requests that go there.

    Attributes:
        condition: the text of its condition, such as ``if is_shop``; empty if all go there.
    """

    alternatives: Alternatives
    backend: str
    at: str
    condition: str = ""


@dataclass
class Front:
    """A section that listens on the ports of the web.

    Attributes:
        kept: its lines that have no key.
        https: its redirects to HTTPS.
        moved: its redirects of whole hosts.
        edge: what it says about headers and compression, by ``edge_lines``, each with its key.
        blocked: the addresses and networks that it refuses.
    """

    section: Section
    plain: bool
    tls: bool
    acls: Acls
    rules: list[Rule] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    https: list[HostsRedirect] = field(default_factory=list)
    moved: list[HostRedirect] = field(default_factory=list)
    edge: EdgeKeys = field(default_factory=EdgeKeys)
    edge_lines: list[tuple[Line, str]] = field(default_factory=list)
    blocked: list[str] = field(default_factory=list)


def binds_of(section: Section) -> list[Bind]:
    """Return where a section listens."""
    return [bind for line in section.all("bind") for bind in _binds(line)]


def _binds(line: Line) -> Iterator[Bind]:
    if len(line.words) <= 1:
        raise InputError("'bind' has no address", where=line.at)
    options = line.words[2:]
    certificates = tuple((word, value) for word, value in itertools.pairwise(options) if word in {"crt", "crt-list"})
    for place in line.words[1].split(","):
        found = _PORT.search(place)
        port = int(found["port"]) if found else None
        yield Bind(port, "ssl" in options, place.startswith("quic"), certificates, line)


class FrontReader:
    """Reads sections that listen."""

    def __init__(self, collector: Collector, read_file: ReadFile) -> None:
        self._collector = collector
        self._read_file = read_file

    def read(self, section: Section, binds: Iterable[Bind]) -> Front:
        """Return what a section does with requests of the web."""
        acls = read_acls(section.lines, self._read_file)
        plain = any(bind.port == HTTP_PORT and not bind.tls for bind in binds)
        tls = any(bind.port == HTTPS_PORT and bind.tls for bind in binds)
        front = Front(section, plain, tls, acls)
        for bind in binds:
            self._bind(bind)
        for line in section.all("use_backend"):
            front.rules += self._rules(line, acls)
        if section.kind == "listen" and any(line.words[0] in {"server", "server-template"} for line in section.lines):
            front.rules.append(Rule(((),), section.name, section.at))
        lines = (*(line for line in section.inherited if not of_backend(line)), *section.lines)
        for line in [one for one in lines if one.starts("default_backend")][-1:]:
            front.rules.append(Rule(((),), line.words[1] if len(line.words) > 1 else "", line.at))
        for line in lines:
            self._line(front, line)
        return front

    def _bind(self, bind: Bind) -> None:
        options = bind.line.words[2:]
        if bind.port not in {HTTP_PORT, HTTPS_PORT} or bind.tls is not (bind.port == HTTPS_PORT):
            if not bind.quic:
                what = "TLS on another port than 443" if bind.tls else "another port than 80 and 443"
                self._collector.lost(bind.line, f"{what}, in a section that has those of the web too")
            return
        if bind.quic:
            self._collector.say(
                Handling.CHANGED, "HTTP/3 is no longer offered: 'http3: true' turns it on", bind.line.at
            )
        for word, text in (
            ("accept-proxy", "a load balancer in front is the key 'behind'"),
            ("accept-netscaler-cip", "a load balancer in front is the key 'behind'"),
            ("verify", "certificates of clients are the key 'client-certificate'"),
        ):
            given = options[options.index(word) + 1 : options.index(word) + 2] if word in options else ()
            if word in options and given != ("none",):
                self._collector.lost(bind.line, text)
        if bind.tls and {"ssl-min-ver", "ciphers", "ciphersuites", "no-sslv3", "curves"} & set(options):
            self._collector.replaced(bind.line, "the TLS settings are those of the key 'tls'")
        if bind.tls and "strict-sni" not in options:
            text = "a handshake for a name without a certificate is refused: the first certificate was shown before"
            self._collector.say(Handling.CHANGED, text, bind.line.at)

    def _rules(self, line: Line, acls: Acls) -> Iterator[Rule]:
        if len(line.words) == 1:
            raise InputError("'use_backend' has no back end", where=line.at)
        found = read_condition(line.words[2:], acls, line.at, self._read_file)
        if "%[" not in line.words[1]:
            _, word, condition = split_rule(line.text)
            yield Rule(found, line.words[1], line.at, " ".join([word, *condition]).strip())
            return
        match = _MAP.match(line.words[1])
        if match is None or found != ((),):
            self._collector.lost(line, "x-stackctl has a name or a path for each back end")
            return
        text = self._read_file(match["file"])
        if text is None:
            raise InputError(f"the map {match['file']} cannot be read", where=line.at)
        for number, entry in enumerate(text.splitlines(), 1):
            words = entry.split()
            if len(words) > 1 and not words[0].startswith("#"):
                at = f"{match['file']}:{number}"
                yield Rule(read_condition(["if", "{", "hdr(host)", words[0], "}"], {}, at), words[1], at)
        if match["default"]:
            yield Rule(((),), match["default"], line.at)

    def _line(self, front: Front, line: Line) -> None:
        head, *rest = line.words
        collector = self._collector
        if head in _SILENT or (front.section.kind == "listen" and of_backend(line)):
            return
        if is_redirect(line):
            self._redirect(front, line)
        elif is_set_header(line, "x-forwarded-") or is_set_header(line, "x-real-ip"):
            collector.replaced(line, "the app gets this header from each proxy of stackctl's")
        elif head == "option" and rest and rest[0] in OWN_OPTIONS:
            front.kept += collector.own_option(line)
        elif head == "no" or head in _REPLACED or line.starts("http-request", "capture") or _is_rendered(line):
            collector.replaced(line)
        elif front.tls and (key := front.edge.take(line)) is not None:
            front.edge_lines.append((line, key))
        elif front.tls and (blocked := self._blocked(front, line)):
            front.blocked += blocked
            collector.replaced(line, "the key 'block'")
        elif head == "stats":
            collector.lost(line, "put 'stats' into a section that listens on a port of its own")
        else:
            text = collector.keep(line)
            if text is not None:
                front.kept.append(text)

    def _blocked(self, front: Front, line: Line) -> list[str]:
        """Return the addresses that a line refuses; empty for another line, and for one with a file of them."""
        start = condition_at(line.words)
        if start is None or line.words[:start] not in _DENIES or "-f" in line.words:
            return []
        found = read_condition(line.words[start:], front.acls, line.at, self._read_file)
        tests = [test for one in found for test in one]
        if len(tests) > len(found) or any(test.kind != "source" or test.negated or "-f" in test.text for test in tests):
            return []
        try:
            return [str(match_values.network(value)) for test in tests for value in test.values]
        except InputError:
            return []

    def _redirect(self, front: Front, line: Line) -> None:
        https = https_redirect(line, front.acls, self._read_file)
        if https is not None:
            front.https.append(https)
            self._collector.replaced(line, "each site with a certificate redirects to https")
            return
        moved = host_redirect(line, front.acls, self._read_file)
        if moved is not None:
            front.moved.append(moved)
            return
        text = self._collector.keep(line)
        if text is not None:
            front.kept.append(text)


def _is_rendered(line: Line) -> bool:
    """Return whether a line is a timeout that stackctl's configuration has too."""
    return line.starts("timeout") and len(line.words) > 2 and same_time(line.words[1], line.words[2])
