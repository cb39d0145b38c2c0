"""The sections of a HAProxy configuration, with the defaults that each inherits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from stackctl.adopt.haproxy.words import Line
from stackctl.errors import InputError

PROXIES = frozenset({"frontend", "backend", "listen"})
_OTHERS = frozenset(
    {
        "global",
        "defaults",
        "userlist",
        "peers",
        "resolvers",
        "mailers",
        "ring",
        "cache",
        "program",
        "http-errors",
        "fcgi-app",
        "crt-store",
        "traces",
        "log-forward",
        "log-profile",
        "acme",
    }
)
_FROM = 2
"""The words of ``from NAME``."""


@dataclass(frozen=True, slots=True)
class Section:
    """One section.

    Attributes:
        at: ``file:line`` of its first line.
        inherited: the lines of the ``defaults`` that it inherits.
    """

    kind: str
    name: str
    at: str
    lines: tuple[Line, ...]
    inherited: tuple[Line, ...] = ()

    def all(self, *words: str) -> Iterator[Line]:
        """Yield its own lines that start with these words."""
        return (line for line in self.lines if line.starts(*words))

    @property
    def mode(self) -> str:
        """``http``, ``tcp`` or another; ``tcp`` where nothing says it."""
        said = [line.words[1] for line in (*self.inherited, *self.lines) if line.starts("mode") and len(line.words) > 1]
        return said[-1] if said else "tcp"


def read_sections(lines: Iterable[Line]) -> tuple[Section, ...]:
    """Return the sections of all files in their order.

    Raises:
        InputError: a line is in no section, or a section is not known, has no name, or is there twice.
    """
    heads: list[tuple[Line, list[Line]]] = []
    for line in lines:
        word = line.words[0]
        if word.startswith("."):
            raise InputError(f"'{word}' makes lines depend on a condition", where=line.at, hint="write them without it")
        if word in PROXIES | _OTHERS:
            heads.append((line, []))
        elif heads:
            heads[-1][1].append(line)
        else:
            raise InputError(f"'{word}' is in no section", where=line.at)
    return tuple(_inheriting(heads))


def _inheriting(heads: Iterable[tuple[Line, list[Line]]]) -> Iterator[Section]:
    defaults: dict[str, tuple[Line, ...]] = {}
    last: tuple[Line, ...] = ()
    there: dict[tuple[str, str], str] = {}
    for head, lines in heads:
        kind, rest = head.words[0], list(head.words[1:])
        inherited = last
        if kind in PROXIES | {"defaults"} and rest[-_FROM:-1] == ["from"]:
            if rest[-1] not in defaults:
                raise InputError(f"there is no 'defaults {rest[-1]}'", where=head.at)
            inherited, rest = defaults[rest[-1]], rest[:-_FROM]
        elif kind == "defaults":
            inherited = ()
        name = rest[0] if rest else ""
        if kind == "defaults":
            last = (*inherited, *lines)
            defaults |= {name: last} if name else {}
        elif kind in PROXIES:
            if not name:
                raise InputError(f"'{kind}' has no name", where=head.at)
            for side in _sides(kind):
                if (side, name) in there:
                    raise InputError(f"{kind} {name} is there twice: see {there[side, name]}", where=head.at)
                there[side, name] = head.at
        yield Section(kind, name, head.at, tuple(lines), inherited if kind in PROXIES else ())


def _sides(kind: str) -> tuple[str, ...]:
    return ("frontend", "backend") if kind == "listen" else (kind,)
