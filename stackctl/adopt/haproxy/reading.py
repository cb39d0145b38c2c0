"""What a HAProxy configuration serves: which requests go to which servers, and the lines that no site has."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from stackctl.adopt.haproxy.conditions import Acls, Alternatives, Test, read_acls, read_condition
from stackctl.adopt.haproxy.sections import Section, read_sections
from stackctl.adopt.haproxy.words import Line
from stackctl.adopt.proposal import Handling, Remark
from stackctl.errors import InputError
from stackctl.model.layout import CHALLENGES

_GLOBAL = re.compile(
    r"(?:log|log-tag|chroot|pidfile|maxconn|user|group|uid|gid|daemon|nbproc|nbthread|master-worker|ulimit-n|stats|"
    r"ca-base|crt-base|key-base|tune\..*|ssl-.*)\Z"
)
"""Lines of ``global`` that stackctl's own configuration has, or that say nothing about requests."""

ReadFile = Callable[[str], str | None]
"""Returns the text of a file of the old container, or None."""

_OWN = frozenset({"acl", "bind", "mode", "log", "server", "default_backend", "use_backend", "description", "id"})
"""Lines of proxies that are read elsewhere, or that say nothing about requests."""
_OPTIONS = frozenset(
    {
        "httplog",
        "tcplog",
        "dontlognull",
        "http-server-close",
        "forwardfor",
        "redispatch",
        "http-keep-alive",
        "httpclose",
        "http-use-htx",
        "dontlog-normal",
    }
)


@dataclass(frozen=True, slots=True)
class OldServer:
    """One ``server`` line.

    Attributes:
        address: as it is written, such as ``app:8000``.
        options: the words after it, such as ``check``.
    """

    address: str
    options: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """As a part of one line of a report."""
        return f"{self.address} ({' '.join(self.options)})" if self.options else self.address


@dataclass(frozen=True, slots=True)
class OldRoute:
    """The requests that go to one back end.

    Attributes:
        hosts: their names; empty for every name.
        paths: the beginnings of their paths; empty for every path.
        at: ``file:line`` of the rule.
    """

    hosts: tuple[str, ...]
    paths: tuple[str, ...]
    backend: str
    servers: tuple[OldServer, ...]
    at: str

    @property
    def shown(self) -> str:
        """As one line of a report."""
        places = [f"{host}{path}" for host in self.hosts or ("any name",) for path in self.paths or ("",)]
        servers = ", ".join(one.shown for one in self.servers) or "no server"
        return f"{', '.join(places)} -> {servers} ({self.at})"


@dataclass(frozen=True, slots=True)
class Reading:
    """What the old proxy served.

    Attributes:
        certificates: the files and directories of ``crt``, as the old container names them.
        remarks: lines that no site has (lost), and those that stackctl does by itself (replaced).
    """

    routes: tuple[OldRoute, ...]
    certificates: tuple[str, ...]
    remarks: tuple[Remark, ...]


def read_haproxy(lines: Iterable[Line], read_file: ReadFile) -> Reading:
    """Return what a complete configuration serves.

    Raises:
        InputError: HAProxy does not load it either: an ACL, a back end or a map does not exist.
    """
    sections = read_sections(lines)
    backends = {one.name: one for one in sections if one.kind in {"backend", "listen"}}
    reader = _Reader(backends, read_file)
    for section in sections:
        if section.kind in {"frontend", "listen"}:
            reader.front(section)
        elif section.kind in {"backend", "defaults"}:
            reader.rest(section)
        elif section.kind == "global":
            for line in section.lines:
                if not _GLOBAL.match(line.words[0]):
                    reader.lost(f"'{line.text}'", line.at)
        else:
            reader.lost(f"the section '{' '.join(filter(None, (section.kind, section.name)))}'", section.at)
    certificates = [
        path for section in sections for bind in section.all("bind") for path in _after(bind.words, "crt", "crt-list")
    ]
    return Reading(tuple(reader.routes), tuple(dict.fromkeys(certificates)), tuple(dict.fromkeys(reader.remarks)))


class _Reader:
    def __init__(self, backends: Mapping[str, Section], read_file: ReadFile) -> None:
        self._backends = backends
        self._read_file = read_file
        self.routes: list[OldRoute] = []
        self.remarks: list[Remark] = []

    def lost(self, text: str, at: str) -> None:
        self.remarks.append(Remark(Handling.UNSUPPORTED, text, at))

    def replaced(self, text: str, at: str) -> None:
        self.remarks.append(Remark(Handling.REPLACED, text, at))

    def front(self, section: Section) -> None:
        """Read the rules of a section that listens."""
        self.rest(section)
        if section.mode != "http":
            self.lost(f"'{section.kind} {section.name}' passes on connections (mode {section.mode})", section.at)
            return
        acls = read_acls(section.lines)
        for line in section.all("use_backend"):
            if len(line.words) == 1:
                raise InputError("'use_backend' has no back end", where=line.at)
            found = read_condition(line.words[2:], acls, line.at)
            if "%[" in line.words[1]:
                self._mapped(line, found)
            else:
                self._rule(line, line.words[1], found)
        if section.kind == "listen" and any(section.all("server")):
            self._add((), (), section.name, section.at)
        chosen = list(section.all("default_backend")) or [x for x in section.inherited if x.starts("default_backend")]
        for line in chosen[-1:]:
            self._add((), (), line.words[1] if len(line.words) > 1 else "", line.at)

    def rest(self, section: Section) -> None:
        """Say what becomes of the other lines of a section."""
        acls = read_acls(section.lines)
        for line in section.lines:
            word, *rest = line.words
            if word == "redirect" or line.starts("http-request", "redirect"):
                self._redirect(line, acls)
            elif word in {"reqadd", "rspadd"} or line.starts("http-request"):
                self._header(line)
            elif word == "option" and rest and rest[0] in _OPTIONS:
                self.replaced(f"'{line.text}': stackctl's configuration has its own", line.at)
            elif word not in _OWN:
                self.lost(f"'{line.text}'", line.at)

    def _redirect(self, line: Line, acls: Acls) -> None:
        words = line.words[line.words.index("redirect") + 1 :]
        start = next((number for number, word in enumerate(words) if word in {"if", "unless"}), len(words))
        found = read_condition(words[start:], acls, line.at)
        tests = [test for one in found for test in one]
        is_plain = all((test.kind == "tls") and test.negated for test in tests)
        if words[:2] == ("scheme", "https") and is_plain:
            self.replaced(f"'{line.text}': each site redirects to https", line.at)
        else:
            self.lost(f"'{line.text}'", line.at)

    def _header(self, line: Line) -> None:
        is_set = line.words[0] == "reqadd" or line.words[1:2] in {("set-header",), ("add-header",)}
        name = next(iter(line.words[1 if line.words[0] == "reqadd" else 2 :]), "")
        if is_set and name.partition(":")[0].lower().startswith("x-forwarded-"):
            self.replaced(f"'{line.text}': the app gets this header from each proxy of stackctl's", line.at)
        else:
            self.lost(f"'{line.text}'", line.at)

    def _mapped(self, line: Line, found: Alternatives) -> None:
        """Read ``use_backend %[req.hdr(host),lower,map(FILE,DEFAULT)]``."""
        head, _, rest = line.words[1].removeprefix("%[").partition(",map(")
        file, _, default = rest.partition(")")[0].partition(",")
        fetch = head.partition(",")[0]
        if fetch not in {"hdr(host)", "req.hdr(host)"} or not rest.endswith(")]") or found != ((),):
            self.lost(f"'{line.text}'", line.at)
            return
        text = self._read_file(file)
        if text is None:
            raise InputError(f"the map {file} cannot be read", where=line.at)
        for number, entry in enumerate(text.splitlines(), 1):
            words = entry.split()
            if len(words) > 1 and not words[0].startswith("#"):
                self._add((words[0].lower(),), (), words[1], f"{file}:{number}")
        if default:
            self._add((), (), default, line.at)

    def _rule(self, line: Line, backend: str, found: Alternatives) -> None:
        for tests in found:
            hosts, paths, other = _sorted(tests)
            if any(test.kind == "false" for test in tests):
                continue
            if paths and all(path.strip("/").startswith(CHALLENGES.strip("/")) for path in paths):
                self._known(backend, line.at)
                self.replaced("ACME's challenges are answered by stackctl's proxy", line.at)
            elif other:
                self.lost(f"requests with {' and '.join(one.text for one in other)} go to {backend}", line.at)
            else:
                self._add(hosts, paths, backend, line.at)

    def _known(self, backend: str, at: str) -> Section:
        if backend not in self._backends:
            raise InputError(f"there is no back end '{backend}'", where=at)
        return self._backends[backend]

    def _add(self, hosts: tuple[str, ...], paths: tuple[str, ...], backend: str, at: str) -> None:
        servers = tuple(map(_server, self._known(backend, at).all("server")))
        self.routes.append(OldRoute(hosts, paths, backend, servers, at))


def _sorted(tests: Iterable[Test]) -> tuple[tuple[str, ...], tuple[str, ...], list[Test]]:
    """Return the names, the beginnings of paths, and the tests that a site cannot say."""
    hosts: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    other: list[Test] = []
    for test in tests:
        if test.kind == "host" and not test.negated and not hosts:
            hosts = test.values
        elif test.kind == "prefix" and not test.negated and not paths:
            paths = test.values
        elif test.kind not in {"true", "tls"} or (test.kind == "tls" and test.negated):
            other.append(test)
    return hosts, paths, other


def _server(line: Line) -> OldServer:
    _, *rest = line.words
    if len(rest) <= 1:
        raise InputError("'server' has no address", where=line.at)
    return OldServer(rest[1], tuple(rest[2:]))


def _after(words: Iterable[str], *names: str) -> Iterator[str]:
    """Yield the words that follow ``names``."""
    found = list(words)
    return (value for word, value in itertools.pairwise(found) if word in names)
