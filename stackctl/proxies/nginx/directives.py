"""nginx: a configuration as directives, each knowing where it is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Directive:
    """One directive, its includes put in.

    Attributes:
        place: ``file:line``, the file as a person finds it in the stack directory.
        block: what stands in its braces; empty for one without.
    """

    name: str
    args: tuple[str, ...]
    place: str
    block: tuple[Directive, ...] = ()

    @property
    def text(self) -> str:
        """How it is written, its block left out."""
        return " ".join((self.name, *self.args))


def named(block: Sequence[Directive], *names: str) -> Iterator[Directive]:
    """Those directives of a block itself that are called so."""
    return (directive for directive in block if directive.name in names)


def first(block: Sequence[Directive], *names: str) -> Directive | None:
    """The first of them."""
    return next(named(block, *names), None)
