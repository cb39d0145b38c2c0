"""nginx: copies the user's directives in a form that starts without the hosts that they name.

nginx resolves a host in ``proxy_pass`` and the like when it starts, and does not start if that fails: one stopped app
would stop all sites at the next reboot. So the copy of the user's file resolves it for each request:

- through a variable, which changes nothing else, wherever the directive takes one;
- through an upstream group with ``resolve``, where ``proxy_pass`` replaces the path, and for ``memcached_pass``. What
  nginx derives from the host in ``proxy_pass`` is then written out;
- by ``resolve`` at the servers of the user's own upstream groups.

What cannot be copied so stays as it is, and nginx's own test refuses it by file and line. No line changes its number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from stackctl.proxies.nginx.directives import Directive, named
from stackctl.proxies.nginx.hosts import (
    HOST,
    LOCAL,
    PLACES,
    URL,
    digest,
    is_address,
    level,
    place_of,
    quoted,
    sent_host,
    server_of,
)
from stackctl.proxies.nginx.spans import Span, Unreadable, every_span, read_spans
from stackctl.wording import on_one_line

_PORTLESS = {"grpc_pass"}
"""Those that have a default port."""

_CONDITIONS = {"if", "limit_except"}
_PROXY_HOST = re.compile(r"\$(?:\{proxy_host\}|proxy_host\b)")
_HEADERS = "snippets/proxy.conf"
"""What the user may include for stackctl's own request headers, ``Host`` among them."""

_ZONE = "zone apps;"
"""The zone that the groups of all sites share."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known around a file.

    Attributes:
        label: tells the groups of this file from those of others.
        groups: the names of upstream groups that other files define, in lower case.
        hosts: the names that the proxy's container knows without a name server, in lower case.
        outer: the user's directives in the blocks around the file, outermost first.
        resolves: whether a group can resolve its servers for each request.
    """

    label: str
    groups: frozenset[str] = frozenset()
    hosts: frozenset[str] = frozenset()
    outer: tuple[tuple[Directive, ...], ...] = ()
    resolves: bool = True


@dataclass(frozen=True, slots=True)
class Copy:
    """The copy of a file, and the maps and groups that it needs in the ``http`` block."""

    content: bytes
    definitions: str = ""


def groups_in(content: bytes | None) -> frozenset[str]:
    """Return the names of the upstream groups that a file for the ``http`` block defines, in lower case."""
    try:
        spans = read_spans(_text(content or b""))
    except Unreadable:
        return frozenset()
    return frozenset(span.arg.lower() for span in spans if span.name == "upstream")


def copied(content: bytes, around: Surroundings) -> Copy:
    """Return the copy of a user's file with which nginx starts while the hosts that it names do not resolve."""
    if b"_pass" not in content and b"upstream" not in content:
        return Copy(content)
    text = _text(content)
    try:
        spans = read_spans(text)
    except Unreadable:
        return Copy(content)
    return _Copying(text, around, spans).finished()


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


Levels = tuple[Sequence[Span], ...]
"""The blocks around a directive, innermost first; the last is the file itself."""


@dataclass
class _Copying:
    text: str
    around: Surroundings
    spans: Sequence[Span]
    edits: list[tuple[int, int, str]] = field(default_factory=list)
    definitions: dict[str, str] = field(default_factory=dict)
    hosts: dict[str, str] = field(default_factory=dict)
    """The value of ``$proxy_host`` before, by group."""
    notes: list[str] = field(default_factory=list)

    def finished(self) -> Copy:
        """Return the copy."""
        self._walk((), (self.spans,))
        if not self.edits:
            return Copy(self.text.encode("utf-8", "surrogateescape"))
        if self.hosts:
            self._keep_proxy_host()
        text = self.text
        for start, end, new in sorted(self.edits, reverse=True):
            text = text[:start] + new + text[end:]
        comment = "".join(f"# {note}\n" for note in self.notes)
        text += "" if text.endswith("\n") else "\n"
        text += f"# Changed in this copy, so that nginx starts while these hosts do not resolve:\n{comment}"
        return Copy(text.encode("utf-8", "surrogateescape"), "".join(self.definitions.values()))

    def _walk(self, chain: tuple[Span, ...], levels: Levels) -> None:
        for span in levels[0]:
            if span.name == "upstream" and span.block is not None:
                self._group(span)
            elif span.block is not None:
                self._walk((*chain, span), (span.block, *levels))
            elif span.name == "proxy_pass":
                self._proxied(span, chain, levels)
            elif span.name in PLACES:
                self._passed(span, levels)

    # One directive

    def _passed(self, span: Span, levels: Levels) -> None:
        match = PLACES[span.name].match(span.arg)
        if match is None or self._is_known(match) or (match["port"] is None and span.name not in _PORTLESS):
            return
        if span.name != "memcached_pass" and not self._is_set("resolver", levels):
            self._replace(span, match, f"${self._variable(place_of(match))}")
        elif self.around.resolves and span.name not in {"grpc_pass", "uwsgi_pass"}:
            self._replace(span, match, self._new_group(place_of(match), place_of(match)))

    def _proxied(self, span: Span, chain: tuple[Span, ...], levels: Levels) -> None:
        match = URL.match(span.arg)
        if match is None or self._is_known(match):
            return
        by_group = match["rest"] is not None or self._is_set("resolver", levels)
        derived = [*self._host(match, levels), *self._tls_name(match, levels)] if by_group else []
        conditional = bool(chain) and chain[-1].name in _CONDITIONS
        unknown = any(one.arg != _HEADERS for block in levels[:-1] for one in level(block, "include"))
        if (by_group and (unknown or not self.around.resolves)) or (conditional and derived):
            return
        self._keep_redirect(span, match, chain, levels)
        if by_group:
            self._replace(span, match, self._new_group(server_of(match), sent_host(match)))
        else:
            self._replace(span, match, f"${self._variable(place_of(match))}")
        self._insert(span.end, derived)

    def _group(self, group: Span) -> None:
        servers = [one for one in group.block or () if one.name == "server" and self._is_resolved(one)]
        if not servers or not self.around.resolves:
            return
        if not level(group.block or (), "zone"):
            self._insert(group.end, [_ZONE])
        for server in servers:
            self.edits.append((server.end - 1, server.end - 1, " resolve"))
            self.notes.append(f"line {self._line(server)}: server {on_one_line(server.arg)}")

    def _is_resolved(self, server: Span) -> bool:
        match = re.match(rf"{HOST}\Z", server.arg)
        has_parameter = any(arg == "resolve" or arg.startswith("service=") for arg in server.args)
        return match is not None and not has_parameter and not self._starts(match["host"])

    def _is_known(self, match: re.Match[str]) -> bool:
        groups = {span.arg.lower() for span in level(self.spans, "upstream")} | self.around.groups
        return self._starts(match["host"]) or match["host"].lower() in groups

    def _starts(self, host: str) -> bool:
        return is_address(host) or host.lower() in LOCAL | self.around.hosts

    def _replace(self, span: Span, match: re.Match[str], new: str) -> None:
        start, end = match.start("host"), match.end("port" if match["port"] else "host")
        word = span.words[1]
        self.edits.append((word.start, word.end, quoted(f"{span.arg[:start]}{new}{span.arg[end:]}")))
        self.notes.append(f"line {self._line(span)}: {span.name} {on_one_line(span.arg)}")

    def _insert(self, position: int, lines: Sequence[str]) -> None:
        if lines:
            self.edits.append((position, position, "".join(f" {line}" for line in lines)))

    def _line(self, span: Span) -> int:
        return self.text.count("\n", 0, span.words[0].start) + 1

    def _variable(self, place: str) -> str:
        name = re.sub(r"[^a-z0-9]", "_", place.lower())
        if re.search(r"[^a-z0-9:]", place):
            name += f"_{digest(place)}"
        variable = f"own_{name}"
        self.definitions[variable] = f'map $scheme ${variable} {{\n    default "{place}";\n}}\n'
        return variable

    def _new_group(self, place: str, sent: str) -> str:
        name = f"own_{place.replace(':', '_')}_{digest(f'{self.around.label} {place} {sent}')}"
        server = f"server {place} resolve;\n    keepalive_timeout 4s;"
        self.definitions[name] = f"upstream {name} {{\n    {_ZONE}\n    {server}\n}}\n"
        self.hosts[name] = sent
        return name

    # What nginx derives from the host in proxy_pass

    def _is_set(self, name: str, levels: Levels) -> bool:
        """Return whether the user sets a directive in a block around."""
        inside = any(level(one, name) for one in levels)
        return inside or any(True for outer in self.around.outer for _ in named(outer, name))

    def _keep_redirect(self, span: Span, match: re.Match[str], chain: tuple[Span, ...], levels: Levels) -> None:
        """Write out the default ``proxy_redirect``, which nginx takes from the URL in ``proxy_pass``."""
        nearest = next((found for one in levels if (found := level(one, "proxy_redirect"))), None)
        if nearest[0].args != ("default",) if nearest else self._is_set("proxy_redirect", ()):
            return
        here = level(levels[0], "proxy_redirect")
        if here:
            self.edits.append((here[0].words[0].start, here[0].end, self._redirect(match, chain)))
            return
        holder = [one for one in chain if one.name not in _CONDITIONS]
        if len(holder) == len(chain):
            self._insert(span.end, [self._redirect(match, chain)])
            return
        # Not allowed in a condition. Around it, it replaces the default of the location's own proxy_pass.
        lines = [self._redirect(match, chain)]
        for other in level(holder[-1].block or (), "proxy_pass") if holder else ():
            own = URL.match(other.arg)
            if own is not None and self._is_known(own):
                lines.append(self._redirect(own, chain))
        self._insert(holder[-1].end if holder else 0, lines)

    def _redirect(self, match: re.Match[str], chain: Sequence[Span]) -> str:
        if match["rest"] is None:
            return f"proxy_redirect {quoted(f'{match[0]}/')} /;"
        location = next((one.words[-1].text for one in reversed(chain) if one.name == "location"), "/")
        path = re.sub(r"\A(?:\^~|=)", "", location)
        return f"proxy_redirect {quoted(match[0])} {quoted(path)};"

    def _host(self, match: re.Match[str], levels: Levels) -> Iterator[str]:
        """Yield the default ``Host``, where the user's own headers leave it to nginx.

        Those at the top of a file are rendered together with all that stackctl sets.
        """
        nearest = next((one for one in levels[:-1] if level(one, "proxy_set_header") or level(one, "include")), ())
        headers = level(nearest, "proxy_set_header")
        if not nearest or level(nearest, "include") or any(header.arg.lower() == "host" for header in headers):
            return
        if not level(levels[0], "proxy_set_header"):
            yield from (" ".join(self.text[one.words[0].start : one.end].splitlines()) for one in headers)
        yield f'proxy_set_header Host "{sent_host(match)}";'

    def _tls_name(self, match: re.Match[str], levels: Levels) -> Iterator[str]:
        if match["scheme"].lower() == "https" and not self._is_set("proxy_ssl_name", levels):
            yield f"proxy_ssl_name {match['host']};"

    def _keep_proxy_host(self) -> None:
        """Give ``$proxy_host`` its value before: with a group it is the group's name."""
        variable = f"own_proxy_host_{digest(self.around.label)}"
        used = [word for span in every_span(self.spans) for word in span.words[1:] if _PROXY_HOST.search(word.text)]
        for word in used:
            new = _PROXY_HOST.sub(f"${{{variable}}}", self.text[word.start : word.end])
            self.edits.append((word.start, word.end, new))
        if used:
            rows = "".join(f'    "~^{re.escape(name)}$" "{sent}";\n' for name, sent in self.hosts.items())
            self.definitions[variable] = f"map $proxy_host ${variable} {{\n    default $proxy_host;\n{rows}}}\n"
