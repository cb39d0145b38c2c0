"""The operations that only ``adopt`` needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from stackctl.model.layout import CERTS, CLI_INI
from stackctl.plan.operation import Operation, Preparation
from stackctl.plan.operations import StartProxy


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepOldState(Operation):
    """Back up every file that is about to change to the history."""

    preparation = Preparation.HISTORY

    paths: tuple[str, ...]

    @property
    def text(self) -> str:
        """A short description of what it does."""
        few = len(self.paths) <= 4
        return f"back up {', '.join(self.paths) if few else f'{len(self.paths)} files'} to the history"


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyTree(Operation):
    """Copy certbot's tree, with its links, modes and owners."""

    preparation = Preparation.CERTBOT_TREE

    source: str
    target: str

    @property
    def text(self) -> str:
        """A short description of what it does."""
        return f"copy {self.source} to {self.target}, with links and modes"


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteKept(Operation):
    """Write a file of the proxy's custom folder once; from then on the user edits it."""

    preparation = Preparation.KEPT_FILES

    folder: str
    name: str
    content: bytes
    like: str | None = None
    """The file whose mode and owner it gets."""
    mode: int = 0o644
    """Its mode, if there is no such file."""

    @property
    def text(self) -> str:
        """A short description of what it does."""
        return f"write {self.folder}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyFolder(Operation):
    """Copy a directory of static files, which only the old container has, to the proxy's custom folder."""

    preparation = Preparation.KEPT_FILES

    folder: str
    name: str
    source: str

    @property
    def text(self) -> str:
        """A short description of what it does."""
        return f"copy {self.source} of the old container to {self.folder}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RewriteRenewal(Operation):
    """Rewrite a renewal file, so that the lineage renews in stackctl's certbot container."""

    lineage: str
    content: str
    changes: tuple[str, ...]

    @property
    def text(self) -> str:
        """A short description of what it does."""
        return f"change how {self.lineage} renews: {'; '.join(self.changes)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RewriteIni(Operation):
    """Disable the settings of ``cli.ini`` that would govern renewals from outside ``x-stackctl``."""

    content: str
    changes: tuple[str, ...]

    @property
    def text(self) -> str:
        """A short description of what it does."""
        return f"change {CLI_INI}: {'; '.join(self.changes)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetHookAside(Operation):
    """Rename a program that certbot would run at renewals, so that certbot skips it."""

    path: str

    @property
    def text(self) -> str:
        """A short description of what it does."""
        return f"rename {self.path} to {self.path}~, which certbot does not run"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportCertificate(Operation):
    """Copy a certificate that is not certbot's to ``data/certs``, from where the proxy serves it.

    Its ``source`` is stored with it; None for one that a CA replaces once it is due.
    """

    preparation = Preparation.CERTIFICATES

    site: str
    chain: bytes = field(repr=False)
    key: bytes = field(repr=False)
    source: str | None = None

    @property
    def text(self) -> str:
        """A short description of what it does."""
        return f"copy the certificate of {self.site} to {CERTS}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceProxy(Operation):
    """Replace the old proxy with the new one, and measure the downtime."""

    service: str
    names: tuple[str, ...]

    @property
    def text(self) -> str:
        """A short description of what it does."""
        return f"replace the proxy {self.service} and measure the downtime"


def in_two(operations: Sequence[Operation]) -> tuple[list[Operation], list[Operation]]:
    """Return the operations that do not disturb running services, and those that do, each in order.

    So whatever can fail fails before the switch, and the downtime is that of the proxy's replacement.
    """
    first = {preparation: [one for one in operations if one.preparation is preparation] for preparation in Preparation}
    before = [operation for preparation in Preparation for operation in first[preparation]]
    return before, [operation for operation in operations if operation.disturbs]


def with_measured_downtime(operation: Operation, names: tuple[str, ...]) -> Operation:
    """Return a start of the proxy as a replacement that measures downtime at ``names``, or ``operation`` unchanged."""
    if isinstance(operation, StartProxy):
        return ReplaceProxy(service=operation.service, names=names, cause=operation.cause)
    return operation
