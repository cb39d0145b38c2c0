"""What every operation has, and the plan that puts them in order.

``scope`` is whose failure it is: an app's name, ``service:NAME``, or None for what
all apps share; ``sharing`` are apps besides it, which are served with the same
certificate. When an operation fails, the later ones of its scope are skipped; a
failure of a shared one ends the plan.

What depends on another scope says so: ``needs`` are scopes that must not have failed,
``needs_one`` are scopes of which one must not have failed. Operations of one ``batch``
are carried out together, where the first of them is in the plan.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from stackctl.model.values import Domain


class Preparation(IntEnum):
    """The order of what is done while an old proxy still serves undisturbed, before it is replaced."""

    HISTORY = 0
    DIRECTORIES = 1
    CERTBOT_TREE = 2
    CERTIFICATES = 3
    KEPT_FILES = 4
    DUMMIES = 5
    IMAGES = 6
    STAGING = 7
    PUBLISHING = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One step."""

    preparation: ClassVar[Preparation | None] = None
    """When it is done before a proxy is replaced; None if it disturbs what runs."""

    cause: str
    scope: str | None = None
    sharing: tuple[Domain, ...] = ()
    needs: frozenset[str] = frozenset()
    needs_one: frozenset[str] = frozenset()
    batch: str | None = None

    @property
    def disturbs(self) -> bool:
        """Whether it changes something of what runs."""
        return self.preparation is None

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes that fail with it; none where all fail."""
        return () if self.scope is None else (self.scope, *self.sharing)

    @property
    def text(self) -> str:
        """What it does, in a few words."""
        raise NotImplementedError(type(self).__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """Operations in their order."""

    operations: tuple[Operation, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.operations)

    def __str__(self) -> str:
        return "\n".join(f"{operation.text}  ({operation.cause})" for operation in self.operations)
