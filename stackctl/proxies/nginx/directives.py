"""nginx: directives as values with their origin, and back to text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

COMMENT = "#"
_INDENT = "    "
_NEEDS_QUOTES = re.compile(r"""[\s;{}"'#]|\A\Z""")
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "M": 2592000, "y": 31536000}
_TIME = re.compile(r"(\d+)(ms|[smhdwMy])?")


@dataclass(frozen=True, slots=True)
class Directive:
    """One directive.

    Attributes:
        args: its parameters, unquoted; those of ``if`` without the outer parentheses.
        at: ``file:line``.
        block: the content of its braces; None for a simple directive.
    """

    name: str
    args: tuple[str, ...] = ()
    at: str = ""
    block: tuple[Directive, ...] | None = None

    @property
    def arg(self) -> str:
        """The first parameter, or an empty string."""
        return self.args[0] if self.args else ""

    @property
    def inner(self) -> tuple[Directive, ...]:
        """The content of its braces, without comments."""
        return without_comments(self.block or ())

    @property
    def head(self) -> str:
        """The directive without its block, as written."""
        if self.name == "if":
            return f"if ({' '.join(self.args)})"
        return " ".join((self.name, *self.args))

    def with_block(self, block: Iterable[Directive]) -> Directive:
        """Return the same directive with another block."""
        return replace(self, block=tuple(block))


def without_comments(directives: Iterable[Directive]) -> tuple[Directive, ...]:
    """Return the directives without comments."""
    return tuple(directive for directive in directives if directive.name != COMMENT)


def named(directives: Iterable[Directive], *names: str) -> Iterator[Directive]:
    """Return those with one of ``names``, in order."""
    return (directive for directive in directives if directive.name in names)


def first(directives: Iterable[Directive], *names: str) -> Directive | None:
    """Return the first with one of ``names``."""
    return next(named(directives, *names), None)


def every(directives: Iterable[Directive]) -> Iterator[Directive]:
    """Return all of them, nested ones included."""
    for directive in directives:
        yield directive
        yield from every(directive.block or ())


def kept_text(directives: Iterable[Directive]) -> str:
    """Return the text for the user's own file: each directive below a comment with its origin."""
    return "\n".join(f"# {directive.at}\n{text_of([directive])}" for directive in directives)


def text_of(directives: Iterable[Directive], depth: int = 0) -> str:
    """Return the directives as nginx reads them, one on each line."""
    return "".join(_text(directive, _INDENT * depth, depth) for directive in directives)


def _text(directive: Directive, margin: str, depth: int) -> str:
    if directive.name == COMMENT:
        return f"{margin}#{directive.arg}\n"
    if directive.name.endswith("_by_lua_block"):
        return f"{margin}{directive.name} {{{directive.arg}}}\n"
    args = " ".join(quoted(arg) for arg in directive.args)
    head = f"{directive.name} ({args})" if directive.name == "if" else f"{quoted(directive.name)} {args}".rstrip()
    if directive.block is None:
        return f"{margin}{head};\n"
    return f"{margin}{head} {{\n{text_of(directive.block, depth + 1)}{margin}}}\n"


def quoted(arg: str) -> str:
    """Return a parameter as it must be written; escapes of the original stay."""
    if not _NEEDS_QUOTES.search(arg):
        return arg
    return '"' + re.sub(r'(?<!\\)"', r"\"", arg) + '"'


def seconds(text: str) -> str | None:
    """Return an nginx time, such as ``1m30s`` or ``90``, with one unit, or None."""
    parts = _TIME.findall(text.replace(" ", ""))
    if not parts or "".join(number + unit for number, unit in parts) != text.replace(" ", ""):
        return None
    if len(parts) == 1 and parts[0][1] in {"ms", "s", "m", "h", "d"}:
        return text if not parts[0][0].startswith("0") else None
    total = sum(int(number) * _UNITS[unit or "s"] for number, unit in parts)
    return f"{int(total)}s" if total >= 1 else None
