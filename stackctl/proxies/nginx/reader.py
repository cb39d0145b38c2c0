"""nginx: parses files into directives, with crossplane."""

from __future__ import annotations

import fnmatch
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from stackctl.errors import HostError, ProxyRejected
from stackctl.model.layout import LIVE
from stackctl.proxies.nginx.directives import Directive
from stackctl.proxies.proxy import Files

_DEEPEST = 20
"""Files that include each other end here."""

_DEEPEST_BLOCK = 100
"""Blocks inside each other; nginx itself has no more than five contexts."""

_TOKEN = re.compile(rb"""#[^\n]*|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\\.|[{}\n]""", re.DOTALL)

_MAGIC = re.compile(r"[*?\[]")


@lru_cache(maxsize=64)
def parse(content: bytes, shown: str) -> tuple[Directive, ...]:
    """Return the directives of one file, comments among them; ``shown`` is its name in messages.

    Raises:
        ProxyRejected: it is not nginx's syntax.
        HostError: crossplane reads files alone, and a temporary one cannot be written.
    """
    shown = shown.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    _refuse_deep(content, shown)
    import crossplane  # noqa: PLC0415  (0.02 s that most commands do not need)
    from crossplane.errors import NgxParserBaseException  # noqa: PLC0415

    try:
        with tempfile.NamedTemporaryFile(suffix=".conf") as draft:
            draft.write(content)
            draft.flush()
            payload = crossplane.parse(
                draft.name, single=True, comments=True, catch_errors=False, check_ctx=False, check_args=False
            )
    except NgxParserBaseException as error:
        where = f"{shown}:{error.lineno}" if error.lineno else shown
        raise ProxyRejected(f"this is not nginx's syntax: {error.strerror}", where=where) from error
    except OSError as error:
        raise HostError(f"cannot write a temporary file: {error.strerror}") from error
    for fault in payload["errors"]:
        what = fault["error"].partition(" in /")[0] or "unexpected end of file, in a quoted text"
        line = fault["line"] or content.count(b"\n") + 1
        raise ProxyRejected(f"this is not nginx's syntax: {what}", where=f"{shown}:{line}")
    return _directives(payload["config"][0]["parsed"], shown)


def _refuse_deep(content: bytes, shown: str) -> None:
    """Refuse blocks that are nested deeper than the parser, which calls itself, can follow."""
    if content.count(b"{") <= _DEEPEST_BLOCK:
        return
    depth, line = 0, 1
    for match in _TOKEN.finditer(content):
        token = match[0]
        line += token.count(b"\n")
        depth += {b"{": 1, b"}": -1}.get(token, 0)
        if depth > _DEEPEST_BLOCK:
            text = f"this is not nginx's syntax: blocks are nested more than {_DEEPEST_BLOCK} levels deep"
            raise ProxyRejected(text, where=f"{shown}:{line}")


def _directives(parsed: Iterable[Mapping[str, Any]], shown: str) -> tuple[Directive, ...]:
    return tuple(
        Directive(
            one["directive"],
            (one["comment"],) if one["directive"] == "#" else tuple(one["args"]),
            f"{shown}:{one['line']}",
            _directives(one["block"], shown) if "block" in one else None,
        )
        for one in parsed
    )


Included = Callable[[Directive], Sequence[tuple[bytes, str]] | None]
"""Return the contents and names of the files that an ``include`` names; None to keep the directive."""


def expand(directives: Iterable[Directive], included: Included, depth: int = 0) -> Iterator[Directive]:
    """Return the directives with the files that they include in their places."""
    for one in directives:
        files = included(one) if one.name == "include" and one.args and depth < _DEEPEST else None
        if files is not None:
            for content, shown in files:
                yield from expand(parse(content, shown), included, depth + 1)
        elif one.block is not None:
            yield one.with_block(expand(one.block, included, depth))
        else:
            yield one


class LiveTree:
    """The directives of a live generation, with its includes in their places.

    Args:
        files: the generation: paths relative to it, and their content.
        mount: where the container sees the proxy's directory.
        shown: gives the name of a file in messages: the file to edit.
        name: the domain that is traced. Of the files that a pattern includes only those are parsed that
            can answer for it: parsing takes a millisecond a file, and there may be thousands.
    """

    def __init__(self, files: Files, mount: str, shown: Callable[[str], str], name: str) -> None:
        self._files = files
        self._mount = mount
        self._shown = shown
        # It has the name itself, or a wildcard, a regex or a default server.
        relevant = rf"{re.escape(name)}|\*\.|\.\*|\s\.\w|~|default"
        self._relevant = re.compile(relevant.encode(), re.IGNORECASE)

    def directives(self, path: str = "nginx.conf") -> tuple[Directive, ...]:
        """Return the directives of one file of the generation; none where there is no such file."""
        content = self._files.get(path)
        if content is None:
            return ()
        return tuple(expand(parse(content, self._shown(path)), self._read))

    def _read(self, include: Directive) -> list[tuple[bytes, str]]:
        paths = self._included(include.arg)
        return [(self._files[path], self._shown(path)) for path in paths if path in self._files]

    def _included(self, pattern: str) -> list[str]:
        """Return the files of an ``include``; those outside the generation belong to the container."""
        inside = pattern.removeprefix(f"{self._mount}/").removeprefix(f"{LIVE}/")
        if not _MAGIC.search(inside):
            return [inside]
        return [
            path
            for path in sorted(fnmatch.filter(self._files, inside))
            if path.count("/") == inside.count("/") and self._relevant.search(self._files[path])
        ]
