"""nginx: directives with their places in the text, so that a copy is edited and every line stays where it is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|\#[^\n]*)
    | (?P<mark>[;{}])
    | "(?P<double>(?:[^"\\]|\\.)*)" | '(?P<single>(?:[^'\\]|\\.)*)'
    | (?P<word>(?:\\.|\$\{|[^\s;{\\])+)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = re.compile(r"\\([\"'\\])")


class Unreadable(Exception):
    """The text is not nginx's syntax, as far as this reader knows it."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a directive, unquoted, and its place."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Span:
    """One directive.

    Attributes:
        end: behind its semicolon, or behind the brace that opens its block.
        block: the content of its braces; None for a simple directive.
    """

    words: tuple[Word, ...]
    end: int
    block: tuple[Span, ...] | None = None

    @property
    def name(self) -> str:
        """Its name."""
        return self.words[0].text

    @property
    def args(self) -> tuple[str, ...]:
        """Its parameters, unquoted."""
        return tuple(word.text for word in self.words[1:])

    @property
    def arg(self) -> str:
        """The first parameter, or an empty string."""
        return self.words[1].text if len(self.words) > 1 else ""


def read_spans(text: str) -> tuple[Span, ...]:
    """Return the directives of a file.

    Raises:
        Unreadable: it is not nginx's syntax.
    """
    found, position = _block(text, 0, nested=False)
    assert position == len(text)
    return found


def every_span(spans: Sequence[Span]) -> Iterator[Span]:
    """Return all of them, nested ones included."""
    for span in spans:
        yield span
        yield from every_span(span.block or ())


def _block(text: str, position: int, *, nested: bool) -> tuple[tuple[Span, ...], int]:
    found: list[Span] = []
    words: list[Word] = []
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise Unreadable
        position = match.end()
        kind = match.lastgroup
        if kind == "mark":
            mark = match["mark"]
            if mark == "}":
                if words or not nested:
                    raise Unreadable
                return tuple(found), position
            span, position = _finished(text, position, words, opens=mark == "{")
            found.append(span)
            words = []
        elif kind != "space":
            value = match[kind or "word"]
            words.append(Word(_ESCAPED.sub(r"\1", value), match.start(), match.end()))
    if nested or words:
        raise Unreadable
    return tuple(found), position


def _finished(text: str, position: int, words: list[Word], *, opens: bool) -> tuple[Span, int]:
    """Return the directive that ends or opens its block at ``position``, and the place behind it."""
    if not words:
        raise Unreadable
    if not opens:
        return Span(tuple(words), position), position
    if words[0].text.endswith("_by_lua_block"):
        return Span(tuple(words), position, ()), _behind_lua(text, position)
    inner, after = _block(text, position, nested=True)
    return Span(tuple(words), position, inner), after


def _behind_lua(text: str, position: int) -> int:
    """Return the place behind the brace that ends a block of Lua."""
    depth = 1
    for match in re.compile(r"[{}]").finditer(text, position):
        depth += 1 if match[0] == "{" else -1
        if depth == 0:
            return match.end()
    raise Unreadable
