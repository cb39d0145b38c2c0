"""The operations that only taking a stack over needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stackctl.model.layout import CERTS
from stackctl.plan.operation import Operation
from stackctl.plan.operations import (
    MakeDirectories,
    MakeDummy,
    Publish,
    PullImage,
    StageFiles,
    StartProxy,
    WriteStackfile,
)
from stackctl.proxies.nginx.layout import CUSTOM


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepOldState(Operation):
    """Put every file that is about to change into the history, as it is."""

    paths: tuple[str, ...]

    @property
    def text(self) -> str:
        """What it does."""
        few = len(self.paths) <= 4
        return f"keep {', '.join(self.paths) if few else f'{len(self.paths)} files'} as they are in the history"


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyTree(Operation):
    """Copy certbot's tree, with its links, modes and owners."""

    source: str
    target: str

    @property
    def text(self) -> str:
        """What it does."""
        return f"copy {self.source} to {self.target}, links and modes as they are"


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteKept(Operation):
    """Write a file of ``nginx/custom/``, once, for its owner to go on with."""

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


_BEFORE: Mapping[type[Operation], int] = {
    KeepOldState: 0,
    MakeDirectories: 1,
    CopyTree: 2,
    ImportCertificate: 3,
    WriteKept: 4,
    MakeDummy: 5,
    PullImage: 6,
    StageFiles: 7,
    Publish: 8,
}
"""What can be done while the old proxy serves as if nothing happened, in its order."""


def in_two(operations: list[Operation]) -> tuple[list[Operation], list[Operation]]:
    """The operations that change nothing of what runs, and those that do, each in their order.

    So all that can fail, fails before anything is switched, and the gap is the proxy's replacement alone.
    """
    before = [operation for operation in operations if type(operation) in _BEFORE]
    switch = [operation for operation in operations if type(operation) not in _BEFORE]
    rank = {RewriteRenewal: 0, WriteStackfile: 1}
    return (
        sorted(before, key=lambda operation: _BEFORE[type(operation)]),
        sorted(switch, key=lambda operation: rank.get(type(operation), 2)),
    )


def measured(operation: Operation, names: tuple[str, ...]) -> Operation:
    """A start of the proxy as one whose gap is measured at ``names``."""
    if isinstance(operation, StartProxy):
        return ReplaceProxy(service=operation.service, names=names, cause=operation.cause)
    return operation
