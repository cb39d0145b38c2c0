"""nginx: the user's own directives, and what is rendered around them so that each of them takes effect.

nginx refuses a simple directive that occurs twice in one block, and inherits lists such as ``proxy_set_header`` only
into a block that sets none of its own. So a rendered line gives way to the user's, and lists are completed.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from stackctl.errors import ProxyRejected
from stackctl.model.layout import CHALLENGES, CUSTOM_FOLDER
from stackctl.proxies.nginx.directives import Directive, every, first, named, text_of
from stackctl.proxies.nginx.layout import NGINX
from stackctl.proxies.nginx.reader import expand, parse
from stackctl.proxies.proxy import Files

Directives = tuple[Directive, ...]

_LISTS = frozenset({"proxy_set_header", "proxy_hide_header", "add_header"})
_KEPT = _LISTS | {
    *("error_page", "include", "listen", "server_name", "access_log", "ssl_certificate", "ssl_certificate_key", "set"),
}
"""Directives that may occur more than once in a block."""

_SIMPLE = re.compile(r" *(?P<name>[a-z0-9_]+)(?: [^{}]*)?;$")
_SIZE = re.compile(r"(\d+)([kKmM]?)\Z")
_FACTORS = {"": 1, "k": 1 << 10, "m": 1 << 20}
_HEADERS_SNIPPET = "snippets/proxy.conf"

_KB = 1 << 10
_COUNT, _ONE = 8, 16 * _KB
"""Defaults of ``proxy_buffers``."""

HEADER_SIZE = 48 * _KB
"""Default of ``proxy_buffer_size``: the largest header of a response, and how much of a response waits for a client."""


def read_own(content: bytes | None, snippets: Snippets, files: Files) -> Directives:
    """Return the directives of a user's file; none of one that nginx itself will refuse.

    ``snippets`` and the user's other ``files``, by name, are what it may include.
    """
    if not content:
        return ()
    try:
        directives = list(expand(parse(content, ""), lambda include: _included(include.arg, files)))
    except ProxyRejected:
        return ()
    return tuple(
        inner
        for one in directives
        for inner in (snippets.headers if one.name == "include" and one.arg.endswith(_HEADERS_SNIPPET) else (one,))
    )


def _included(path: str, files: Files) -> list[tuple[bytes, str]] | None:
    """Return those of the user's own files that an ``include`` names; None if it names others."""
    folder, _, pattern = path.removeprefix(f"{NGINX.mount}/").rpartition("/")
    if folder != CUSTOM_FOLDER:
        return None
    return [(files[name], name) for name in fnmatch.filter(sorted(files), pattern)]


def giving_way(text: str, own: Sequence[Directive], indent: int) -> str:
    """Return ``text`` without its lines of ``indent`` spaces whose directive the user sets in the same block."""
    names = {directive.name for directive in own} - _KEPT
    if not names:
        return text
    return "".join(line for line in text.splitlines(keepends=True) if not _is_set(line, names, indent))


def _is_set(line: str, names: set[str], indent: int) -> bool:
    match = _SIMPLE.match(line.rstrip("\n"))
    return match is not None and match["name"] in names and len(line) - len(line.lstrip(" ")) == indent


# Request headers


@dataclass(frozen=True, slots=True)
class Snippets:
    """The directives of ``snippets/proxy.conf``, and of ``snippets/removed.conf``, which it includes."""

    proxy: Directives
    removed: Directives

    @property
    def headers(self) -> list[Directive]:
        """All ``proxy_set_header`` among them."""
        return [*_headers(self.proxy), *self.removed]


def shared_header_lines(snippets: Snippets, own: Directives) -> list[str]:
    """Return the lines for the ``http`` block: those of the snippets that the user's ``http.conf`` does not set."""
    return _kept(snippets, [own], whole=first(own, "proxy_http_version") is None)


def header_lines(snippets: Snippets, outer: Sequence[Directives], own: Directives) -> list[str]:
    """Return the ``proxy_set_header`` lines to write next to the user's own in the same block.

    ``outer`` are the user's blocks around it, outermost first. A header of an inner block replaces the one of the
    same name.
    """
    if not _headers(own):
        return []
    inherited: list[Directive] = []
    for block in outer:
        inherited = _without(inherited, block) + _headers(block)
    return [*_kept(snippets, [*outer, own]), *_lines(_without(inherited, own))]


def _kept(snippets: Snippets, blocks: Sequence[Directives], *, whole: bool = True) -> list[str]:
    """Return the lines for the headers of ``snippets`` that no block sets; as includes, where that is all of them."""
    set_here = {directive.arg.lower() for block in blocks for directive in _headers(block)}
    whole = whole and not any(directive.arg.lower() in set_here for directive in snippets.headers)
    if whole:
        return ["include snippets/proxy.conf;"]
    lines = _lines(one for one in _headers(snippets.proxy) if one.arg.lower() not in set_here)
    if not any(one.arg.lower() in set_here for one in snippets.removed):
        return [*lines, "include snippets/removed.conf;"]
    return [*lines, *_lines(one for one in snippets.removed if one.arg.lower() not in set_here)]


def _headers(block: Iterable[Directive]) -> list[Directive]:
    return list(named(block, "proxy_set_header"))


def _without(headers: Iterable[Directive], block: Iterable[Directive]) -> list[Directive]:
    names = {directive.arg.lower() for directive in _headers(block)}
    return [directive for directive in headers if directive.arg.lower() not in names]


def outer_lines(name: str, outer: Sequence[Directives], own: Directives) -> list[str]:
    """Return the lines of a list that a block with a rendered line of that list would no longer inherit."""
    if first(own, name):
        return []
    return _lines(next((found for block in reversed(outer) if (found := list(named(block, name)))), []))


def _lines(directives: Iterable[Directive]) -> list[str]:
    return text_of(directives).splitlines()


# Buffers


def buffer_lines(own: Directives) -> list[str]:
    """Return the buffer settings that fit those of ``own``, which nginx accepts only together.

    nginx requires size <= busy, one buffer <= busy and busy <= all buffers but one.
    """
    size, busy = (_bytes(first(own, f"proxy_{name}_size")) for name in ("buffer", "busy_buffers"))
    buffers = first(own, "proxy_buffers")
    if buffers is None:
        count = _COUNT
        at_least = -(-max(size or 0, busy or 0) // (count - 1))
        one = max(min(_ONE, busy or _ONE), -(-at_least // _KB) * _KB)
    else:
        count = int(buffers.arg) if buffers.arg.isdigit() else 2
        one = _bytes(Directive("", buffers.args[1:])) or 1
    size = size or min(HEADER_SIZE, max((count - 1) * one, _KB), busy or HEADER_SIZE)
    wanted = {
        "proxy_buffer_size": _size(size),
        "proxy_buffers": f"{count} {_size(one)}",
        "proxy_busy_buffers_size": _size(max(size, one)),
    }
    return [f"{name} {value};" for name, value in wanted.items() if first(own, name) is None]


def _size(number: int) -> str:
    return f"{number // _KB}k" if number % _KB == 0 else str(number)


def sets_buffers(own: Directives) -> bool:
    """Return whether the user sets any of the buffers."""
    return first(own, "proxy_buffer_size", "proxy_buffers", "proxy_busy_buffers_size") is not None


def _bytes(directive: Directive | None) -> int | None:
    match = _SIZE.match(directive.arg) if directive else None
    return int(match[1]) * _FACTORS[match[2].lower()] if match else None


def needs_buffering(own: Iterable[Directive]) -> bool:
    """Return whether the user stores responses, for which nginx must buffer them."""
    return any(one.name in {"proxy_cache", "proxy_store"} for one in every(own))


# Plain HTTP


def can_protect_http(own: Directives) -> bool:
    """Return whether the user's directives for a site protect it over plain HTTP as they do over HTTPS."""
    if first(own, "ssl_verify_client", "listen") is not None:
        return False
    return not has_challenge(own)


def has_challenge(own: Directives) -> bool:
    """Return whether the user has a location for the challenges."""
    return any(_is_challenge(location) for location in named(own, "location"))


def _is_challenge(location: Directive) -> bool:
    return bool(location.args) and location.args[-1].removeprefix("^~").rstrip("/") == f"/{CHALLENGES}".rstrip("/")


def challenge_lines(own: Directives) -> Iterator[str]:
    """Yield the lines that keep the challenge reachable in a block with these directives."""
    if first(own, "auth_request") is not None:
        yield "auth_request off;"
