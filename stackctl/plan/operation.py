"""What every operation has, and the plan that puts them in order.

``scope`` is whose failure it is: an app's name, ``service:NAME``, or None for what
all apps share; ``sharing`` are apps besides it, which are served with the same
certificate. When an operation fails, the later ones of its scope are skipped; a
failure of a shared one ends the plan.
"""

from __future__ import annotations

from dataclasses import dataclass

from stackctl.model.values import Domain


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One step."""

    cause: str
    scope: str | None = None
    sharing: tuple[Domain, ...] = ()

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
