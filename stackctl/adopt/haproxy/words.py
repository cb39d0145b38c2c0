"""The words of HAProxy's configuration, with its quotes and escapes (HAProxy's configuration manual, section 2.2)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stackctl.errors import InputError

_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}
_HEX = re.compile(r"x([0-9a-fA-F]{2})")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?:\[\*\])?(?:-([^}]*))?\})", re.ASCII)
_BLANK = " \t\r\v\f"


@dataclass(frozen=True, slots=True)
class Line:
    """One line that is not empty, as words without quotes, escapes and comments.

    Attributes:
        at: ``file:line``.
        text: the line as it is written, without a comment, and without needless blanks.
    """

    words: tuple[str, ...]
    at: str
    text: str

    def starts(self, *words: str) -> bool:
        """Whether its first words are these."""
        return self.words[: len(words)] == words


def read_lines(text: str, file: str, environment: Mapping[str, str]) -> Iterator[Line]:
    """Yield the lines of a file; a backslash at the end of a line does not continue it.

    Raises:
        InputError: a quote is not closed, or a variable has an impossible name.
    """
    for number, line in enumerate(text.split("\n"), 1):
        at = f"{file}:{number}"
        reading = _Words(line, at, environment)
        words = tuple(reading.read())
        if words:
            yield Line(words, at, _tidy(line[: reading.comment].strip()))


def _tidy(text: str) -> str:
    """Return a line without repeated blanks, where none of them can be a part of a word."""
    return text if any(char in text for char in "\"'\\") else " ".join(text.split())


_RAW = re.compile(r"""(?:\\.|'[^']*'|"(?:\\.|[^"\\])*"|[^\s'"\\])+""")


def raw_words(text: str) -> list[str]:
    """Return the words of a line as they are written, with their quotes and escapes."""
    return _RAW.findall(text)


class _Words:
    """The words of one line.

    Attributes:
        comment: where its comment begins, or None.
    """

    comment: int | None = None

    def __init__(self, line: str, at: str, environment: Mapping[str, str]) -> None:
        self._line = line
        self._at = at
        self._environment = environment
        self._next = 0

    def read(self) -> Iterator[str]:
        """Yield the words; an empty pair of quotes is a word too."""
        word: str | None = None
        while self._next < len(self._line):
            char = self._line[self._next]
            self._next += 1
            if char in _BLANK or char == "#":
                if word is not None:
                    yield word
                word = None
                if char == "#":
                    self.comment = self._next - 1
                    return
            else:
                word = (word or "") + self._part(char)
        if word is not None:
            yield word

    def _part(self, char: str) -> str:
        match char:
            case "\\":
                return self._escape(_ESCAPED, hexadecimal=True)
            case "'":
                return self._strong()
            case '"':
                return self._weak()
            case _:
                return char

    def _escape(self, known: Mapping[str, str], *, hexadecimal: bool) -> str:
        rest = self._line[self._next :]
        if not rest:
            return "\\"
        if hexadecimal and (found := _HEX.match(rest)):
            self._next += len(found[0])
            return chr(int(found[1], 16))
        self._next += 1
        if rest[0] in known:
            return known[rest[0]]
        return rest[0] if rest[0] in " #\\'\"$" else f"\\{rest[0]}"

    def _strong(self) -> str:
        end = self._line.find("'", self._next)
        if end < 0:
            raise InputError("a quote is not closed", where=self._at)
        found, self._next = self._line[self._next : end], end + 1
        return found

    def _weak(self) -> str:
        found: list[str] = []
        while self._next < len(self._line):
            char = self._line[self._next]
            self._next += 1
            if char == '"':
                return "".join(found)
            if char == "\\":
                found.append(self._escape(_ESCAPED, hexadecimal=True))
            elif char == "$":
                found.append(self._variable())
            else:
                found.append(char)
        raise InputError("a quote is not closed", where=self._at)

    def _variable(self) -> str:
        """Return the value of a variable, which is read in double quotes only; one that is not set is empty."""
        match = _VARIABLE.match(self._line, self._next - 1)
        if match is None:
            raise InputError("'$' is not followed by the name of a variable", where=self._at, hint="write '\\$'")
        self._next = match.end()
        return self._environment.get(match[1] or match[2]) or match[3] or ""
