"""The base class of operations, and the plan, which is their ordered sequence.

``scope`` says what fails with the operation: an app's name, ``service:NAME``, or None
for what all apps share; ``sharing`` are other apps that are served with the same
certificate. When an operation fails, the later ones of its scope are skipped; a
failure of a shared one ends the plan.

Dependencies on other scopes are explicit: ``needs_one`` are scopes of which at least one
must not have failed, ``needs_all`` scopes of which none must. Operations of one ``batch``
are executed together, at the position of the first of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from stackctl.model.values import Domain


class Preparation(IntEnum):
    """The order of operations that run before an old proxy is replaced, while it still serves."""

    HISTORY = 0
    DIRECTORIES = 1
    CERTBOT_TREE = 2
    CERTIFICATES = 3
    KEPT_FILES = 4
    DUMMIES = 5
    COPIES = 6
    HOOK = 7
    IMAGES = 8
    STAGING = 9
    PUBLISHING = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One step."""

    preparation: ClassVar[Preparation | None] = None
    """Its place before a proxy is replaced; None if it disturbs running services."""

    cause: str
    scope: str | None = None
    sharing: tuple[Domain, ...] = ()
    needs_one: frozenset[str] = frozenset()
    needs_all: frozenset[str] = frozenset()
    batch: str | None = None

    @property
    def disturbs(self) -> bool:
        """Whether it disturbs running services."""
        return self.preparation is None

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes that fail with it; empty if all fail."""
        return () if self.scope is None else (self.scope, *self.sharing)

    @property
    def text(self) -> str:
        """A short description of what it does."""
        raise NotImplementedError(type(self).__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """Operations in order."""

    operations: tuple[Operation, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.operations)

    def __str__(self) -> str:
        return "\n".join(f"{operation.text}  ({operation.cause})" for operation in self.operations)
