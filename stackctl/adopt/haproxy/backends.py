"""A back end of a HAProxy configuration as keys of ``x-stackctl``, and as lines that have none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from stackctl.adopt.haproxy.checks import duration, health_of
from stackctl.adopt.haproxy.collecting import Collector
from stackctl.adopt.haproxy.conditions import Acls
from stackctl.adopt.haproxy.headers import EdgeKeys
from stackctl.adopt.haproxy.redirects import HostsRedirect, https_redirect, is_redirect
from stackctl.adopt.haproxy.sections import Section
from stackctl.adopt.haproxy.servers import OldServer, Servers
from stackctl.adopt.haproxy.words import Line
from stackctl.adopt.proposal import Handling
from stackctl.errors import InputError
from stackctl.model import balancing
from stackctl.proxies.haproxy.units import milliseconds
from stackctl.stackfile.services import Value

BACK_WORDS = frozenset(
    {
        *("balance", "retries", "cookie", "default-server", "http-check", "hash-type", "fullconn", "retry-on", "stick"),
        *("stick-table", "tcp-check", "http-reuse", "email-alert"),
    }
)
"""Lines of ``defaults`` that concern back ends only."""

BACK_TIMEOUTS = frozenset({"connect", "server", "queue", "check", "tunnel", "server-fin"})
BACK_OPTIONS = frozenset(
    {"redispatch", "httpchk", "tcp-check", "ssl-hello-chk", "persist", "allbackups", "srvtcpka", "prefer-last-server"}
)
OWN_OPTIONS = frozenset(
    {
        *("httplog", "tcplog", "dontlognull", "http-server-close", "httpclose", "forceclose", "http-keep-alive"),
        *("forwardfor", "redispatch", "http-use-htx", "dontlog-normal", "log-separate-errors", "logasap"),
        "log-health-checks",
        *("idle-close-on-response", "http-pretend-keepalive", "splice-auto", "clitcpka", "srvtcpka", "tcpka"),
    }
)
"""Options that stackctl's configuration has, or that say nothing about answers."""

_SILENT = frozenset({"mode", "server", "server-template", "default-server", "description", "id", "bind", "guid"})
_REPLACED = frozenset({"log", "log-format", "log-format-sd", "log-tag", "hash-type", "fullconn", "http-reuse"})
_LOST = frozenset({"dispatch", "transparent", "use-server", "source", "email-alert", "use-fcgi-app"})
_DEFAULTS = {"queue": "10s", "client": "300s", "http-request": "60s", "http-keep-alive": "65s", "client-fin": "30s"}
"""The timeouts that stackctl's configuration has."""

_STICKY = frozenset({"insert", "indirect", "nocache", "httponly", "secure", "preserve", "postonly", "dynamic"})
_HASHES = {"source": "source", "uri": "uri"}
_HASHED = {"url_param": "query", "hdr": "header"}
_COOKIE = re.compile(r"req\.cook\((?P<name>[^)]+)\)")


@dataclass
class OldBackend:
    """One back end.

    Attributes:
        keys: of ``x-stackctl``: the servers, how they share requests, and times.
        kept: the lines that have no key, as HAProxy reads them.
        redirect: how it redirects to HTTPS, or None.
    """

    name: str
    at: str
    servers: tuple[OldServer, ...] = ()
    keys: dict[str, Value] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)
    redirect: HostsRedirect | None = None


def of_backend(line: Line) -> bool:
    """Return whether a line of ``defaults`` concerns back ends only."""
    head, *rest = line.words
    if head == "timeout":
        return rest[:1] != [] and rest[0] in BACK_TIMEOUTS
    return head in BACK_WORDS or (head in {"option", "no"} and any(word in BACK_OPTIONS for word in rest))


def is_set_header(line: Line, name: str) -> bool:
    """Return whether a line sets a request header whose name begins with ``name``, which is in lower case."""
    head, *rest = line.words
    if head == "reqadd" and rest:
        return rest[0].lower().startswith(name)
    return line.words[:2] in {("http-request", "set-header"), ("http-request", "add-header")} and (
        len(rest) > 1 and rest[1].lower().startswith(name)
    )


def same_time(name: str, text: str) -> bool:
    """Return whether stackctl's configuration has a timeout."""
    found = duration(text)
    return found is not None and name in _DEFAULTS and milliseconds(found) == milliseconds(_DEFAULTS[name])


def read_backend(section: Section, servers: Servers, collector: Collector, acls: Acls) -> OldBackend:
    """Return what a section that has servers does with requests."""
    found = OldBackend(section.name, section.at, servers.found, dict(servers.keys))
    inherited = [line for line in section.inherited if of_backend(line)]
    reading = _Reading(found, servers, collector, acls)
    for line in _in_force([*inherited, *section.lines]):
        reading.take(line)
    reading.end()
    return found


def _in_force(lines: Iterable[Line]) -> list[Line]:
    """Return lines without those that a later one of the same kind replaces."""
    kept: dict[tuple[str, ...], Line] = {}
    for line in lines:
        head = line.words[0]
        single = head in {"balance", "retries", "cookie", "hash-type", "fullconn", "stick-table"}
        key = line.words[:1] if single else line.words[:2] if head in {"timeout", "option"} else (line.at,)
        kept.pop(key, None)
        kept[key] = line
    return list(kept.values())


class _Reading:
    def __init__(self, found: OldBackend, servers: Servers, collector: Collector, acls: Acls) -> None:
        self._acls = acls
        self._found = found
        self._servers = servers
        self._collector = collector
        self._checks: list[Line] = []
        self._check_timeout: str | None = None
        self._edge = EdgeKeys()

    def take(self, line: Line) -> None:
        """Add what a line says."""
        head, *rest = line.words
        own = {"timeout": self._timeout, "balance": self._balance, "cookie": self._cookie}.get(head)
        if own is not None:
            own(line, rest)
        elif head not in _SILENT and not self._is_own(line, head, rest):
            self._other(line, head, rest)

    def _is_own(self, line: Line, head: str, rest: Sequence[str]) -> bool:
        """Take a line that stackctl's configuration has an equivalent for."""
        if head == "http-check" or (head == "option" and rest[:1] == ["httpchk"]):
            self._checks.append(line)
        elif is_redirect(line) and (redirect := https_redirect(line, self._acls)) is not None:
            self._found.redirect = redirect
            self._collector.replaced(line, "each site with a certificate redirects to https")
        elif is_set_header(line, "x-forwarded-") or is_set_header(line, "x-real-ip"):
            self._collector.replaced(line, "the app gets this header from each proxy of stackctl's")
        elif head == "option" and rest and rest[0] in OWN_OPTIONS:
            self._found.kept += self._collector.own_option(line)
        elif head == "no" or head in _REPLACED or line.starts("retries", "2"):
            self._collector.replaced(line)
        elif (key := self._edge.take(line)) is not None:
            self._collector.replaced(line, f"the key '{key}'")
        else:
            return False
        return True

    def _other(self, line: Line, head: str, rest: Sequence[str]) -> None:
        if head in _LOST or (head == "option" and rest[:1] == ["transparent"]):
            self._collector.lost(line)
        elif head == "acl":
            self._found.kept.append(self._collector.adjusted(line.text))
        else:
            self._keep(line)

    def _keep(self, line: Line) -> None:
        text = self._collector.keep(line)
        if text is not None:
            self._found.kept.append(text)

    def _timeout(self, line: Line, rest: Sequence[str]) -> None:
        name, text = (*rest, "", "")[:2]
        value = duration(text)
        if value is None:
            self._collector.lost(line, "the time is not understood")
        elif name == "connect":
            self._found.keys["connect-timeout"] = value
        elif name == "server":
            self._found.keys |= {"read-timeout": value, "send-timeout": value}
        elif name == "check":
            self._check_timeout = value
        elif name == "tunnel":
            server = str(self._found.keys.get("read-timeout", "300s"))
            if milliseconds(value) != milliseconds(server):
                text = f"a WebSocket without data is closed after the time of read-timeout, not after {value}"
                self._collector.say(Handling.CHANGED, text, line.at)
        elif not same_time(name, text):
            self._keep(line)

    def _balance(self, line: Line, rest: Sequence[str]) -> None:
        word = rest[0] if rest else ""
        named = re.fullmatch(r"(\w+)\(([^)]*)\)", word)
        keys = self._found.keys
        if word == "roundrobin":
            return
        if word == "leastconn":
            keys["balance"] = "least-conn"
        elif word.startswith("random"):
            keys["balance"] = "random"
        elif word in _HASHES and (word != "uri" or set(rest[1:]) <= {"whole"}):
            keys |= {"balance": "hash", "hash": _HASHES[word]}
        elif word == "url_param" and len(rest) > 1:
            self._hash(line, "query", rest[1])
        elif named is not None and named[1] in _HASHED:
            self._hash(line, _HASHED[named[1]], named[2])
        elif word == "hash" and (cookie := _COOKIE.fullmatch(" ".join(rest[1:]))) is not None:
            self._hash(line, "cookie", cookie["name"])
        elif word in {*balancing.Balance} - {balancing.Balance.HASH}:
            keys["balance"] = word
        elif word == "static-rr":
            self._collector.say(Handling.CHANGED, f"'{line.text}': round-robin takes its place", line.at)
        else:
            self._collector.lost(line)

    def _hash(self, line: Line, kind: str, name: str) -> None:
        try:
            self._found.keys |= {"balance": "hash", "hash": str(balancing.hash_key(f"{kind}:{name}"))}
        except InputError:
            self._collector.lost(line)

    def _cookie(self, line: Line, rest: Sequence[str]) -> None:
        words = set(rest[1:])
        try:
            name = balancing.cookie_name(rest[0] if rest else "")
        except InputError as error:
            self._collector.lost(line, error.message)
            return
        if "insert" not in words:
            self._collector.lost(line, "the proxy sets a cookie of its own (insert)")
            return
        self._found.keys["sticky"] = {"cookie": name}
        text = f"each client of {self._found.name} gets a new cookie {name} once, and may change its server"
        self._collector.say(Handling.CHANGED, text, line.at)
        if words - _STICKY:
            dropped = " ".join(word for word in rest[1:] if word not in _STICKY)
            self._collector.say(Handling.CHANGED, f"the cookie {name} has no '{dropped}'", line.at)

    # Checks

    def end(self) -> None:
        """Say how servers are checked, and which headers are set, once all is read."""
        self._found.keys |= self._edge.keys
        default, options = self._servers.default, self._servers.found[0].options if self._servers.found else {}
        checked = any(server.is_checked for server in self._servers.found)
        if not checked:
            for line in self._checks:
                self._collector.replaced(line, "no server is checked")
        elif self._checks and (health := health_of(self._checks, options, self._check_timeout)) is not None:
            self._found.keys["health"] = health
            for line in self._checks:
                self._collector.replaced(line, "the key 'health'")
            default = re.sub(r"(?:^|\s)check\b|(?:^|\s)(?:inter|rise|fall)\s+\S+", "", default).strip()
        else:
            for line in self._checks:
                self._keep(line)
            if self._check_timeout is not None and self._checks:
                self._found.kept.append(f"timeout check {self._check_timeout}")
        if default:
            text = f"default-server {default}"
            self._collector.say(Handling.KEPT, f"'{text}'", self._servers.found[0].line.at)
            self._found.kept.insert(0, text)
