"""The operations that request and delete certificates; the others are in :mod:`stackctl.plan.operations`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from stackctl.certs.held import Held
from stackctl.certs.request import CertificateRequest
from stackctl.errors import IssueFailed
from stackctl.model.layout import site_of_file
from stackctl.model.values import Domain
from stackctl.plan.operation import Operation
from stackctl.wording import listed, moment


def second_scope(site: str) -> Domain:
    """Return the scope of a site's second certificate, without which the site is served all the same."""
    return Domain(f"second:{site}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckNames(Operation):
    """Check that names resolve to this host, so that a request that is certain to fail is not sent to the CA.

    With ``dns`` a test record is written instead, by which the CA would prove them.
    """

    names: tuple[Domain, ...]
    source: str
    dns: bool = False

    @property
    def text(self) -> str:
        if self.dns:
            return f"write, see and delete a test record for {listed(self.names)}"
        return f"check that {listed(self.names)} {'resolve' if len(self.names) > 1 else 'resolves'} to this host"


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue(Operation):
    """Request a certificate from its source; with ``paced``, wait until the account may place the order."""

    request: CertificateRequest
    source: str
    paced: bool = True

    @property
    def text(self) -> str:
        if self.request.beside:
            return f"issue a second certificate for {listed(self.request.names)}, with another kind of key"
        under = [name for name in self.scopes if name not in self.request.names]
        users = f", which {listed(under)} {'use' if len(under) > 1 else 'uses'} too" if under else ""
        return f"issue a certificate for {listed(self.request.names)}{users}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeferIssue(Operation):
    """Defer a request that the CA would refuse: it always fails, and no request is sent."""

    request: CertificateRequest
    until: datetime

    @property
    def error(self) -> IssueFailed:
        """The error that it fails with."""
        return IssueFailed(
            f"{site_of_file(self.request.lineage)}: not requested: {self.cause}",
            hint=f"repeat the command after {moment(self.until)}; 'stackctl … --ignore-ledger' requests it now",
            lineage=self.request.lineage,
            why="not requested",
            detail=self.cause,
        )

    @property
    def text(self) -> str:
        return f"defer the request for {listed(self.request.names)} until {moment(self.until)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefuseIssue(Operation):
    """Refuse a request that breaks a rule of the CA: it always fails, and no request is sent.

    ``where`` is the site's place in the Compose file; ``forceable`` says whether the CA is asked with ``--force``.
    """

    request: CertificateRequest
    where: str
    todo: str
    forceable: bool = True

    @property
    def error(self) -> IssueFailed:
        """The error that it fails with."""
        return IssueFailed(
            f"{site_of_file(self.request.lineage)}: not requested: {self.cause}",
            where=self.where,
            hint=self.todo + ("; 'stackctl … --force' sends the request anyway" if self.forceable else ""),
            lineage=self.request.lineage,
            why="not requested",
            detail=self.cause,
        )

    @property
    def text(self) -> str:
        return f"request no certificate for {listed(self.request.names)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteCertificate(Operation):
    """Delete a certificate with its key, and the dummy of its site."""

    held: Held

    @property
    def text(self) -> str:
        kind = "certificate" if self.held.real else "dummy certificate"
        return f"delete the {kind} {site_of_file(self.held.lineage or self.held.site)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlignSettings(Operation):
    """Bring a file of certbot's tree in line with ``x-stackctl``, if it still equals ``before``."""

    path: str
    before: str
    content: str
    changes: tuple[str, ...]

    @property
    def text(self) -> str:
        return f"change {self.path}: {'; '.join(self.changes)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DisableHook(Operation):
    """Rename a program that certbot would run at renewals, so that certbot skips it."""

    path: str

    @property
    def text(self) -> str:
        return f"rename {self.path} to {self.path}~, which certbot does not run"
