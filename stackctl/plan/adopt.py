"""The operations that only taking a stack over needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from stackctl.model.layout import CERTS
from stackctl.plan.operation import Operation, Preparation
from stackctl.plan.operations import StartProxy
from stackctl.proxies.nginx.layout import CUSTOM


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepOldState(Operation):
    """Put every file that is about to change into the history, as it is."""

    preparation = Preparation.HISTORY

    paths: tuple[str, ...]

    @property
    def text(self) -> str:
        """What it does."""
        few = len(self.paths) <= 4
        return f"keep {', '.join(self.paths) if few else f'{len(self.paths)} files'} as they are in the history"


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyTree(Operation):
    """Copy certbot's tree, with its links, modes and owners."""

    preparation = Preparation.CERTBOT_TREE

    source: str
    target: str

    @property
    def text(self) -> str:
        """What it does."""
        return f"copy {self.source} to {self.target}, links and modes as they are"


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteKept(Operation):
    """Write a file of ``nginx/custom/``, once, for its owner to go on with."""

    preparation = Preparation.KEPT_FILES

    name: str
    content: bytes
    like: str | None = None
    """A file whose mode and owner it takes."""

    @property
    def text(self) -> str:
        """What it does."""
        return f"write {(CUSTOM / self.name).path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RewriteRenewal(Operation):
    """Have a lineage renew in stackctl's certbot container from now on."""

    lineage: str
    content: str
    changes: tuple[str, ...]

    @property
    def text(self) -> str:
        """What it does."""
        return f"change how {self.lineage} renews: {'; '.join(self.changes)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportCertificate(Operation):
    """Copy a certificate that is not certbot's to ``data/certs``, where its site is served with it."""

    preparation = Preparation.CERTIFICATES

    site: str
    chain: bytes = field(repr=False)
    key: bytes = field(repr=False)

    @property
    def text(self) -> str:
        """What it does."""
        return f"copy the certificate of {self.site} to {CERTS.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceProxy(Operation):
    """Replace the old proxy by the new one, and measure how long nothing answers."""

    service: str
    names: tuple[str, ...]

    @property
    def text(self) -> str:
        """What it does."""
        return f"replace the proxy {self.service}, and measure the gap"


def in_two(operations: Sequence[Operation]) -> tuple[list[Operation], list[Operation]]:
    """Return the operations that change nothing of what runs, and those that do, each in their order.

    So all that can fail, fails before anything is switched, and the gap is the proxy's replacement alone.
    """
    first = {preparation: [one for one in operations if one.preparation is preparation] for preparation in Preparation}
    before = [operation for preparation in Preparation for operation in first[preparation]]
    return before, [operation for operation in operations if operation.disturbs]


def with_measured_gap(operation: Operation, names: tuple[str, ...]) -> Operation:
    """Return a start of the proxy as one whose gap is measured at ``names``; other operations as they are."""
    if isinstance(operation, StartProxy):
        return ReplaceProxy(service=operation.service, names=names, cause=operation.cause)
    return operation
