"""The decisions of a source of certificates; :class:`~stackctl.engine.context.Issuer` adds its effects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from stackctl.certs.copied import Pair
from stackctl.certs.held import Held
from stackctl.certs.local_ca import LocalCa
from stackctl.certs.request import CertificateRequest
from stackctl.certs.shelf import Stored, import_fault
from stackctl.model.routing import Site
from stackctl.model.stack import Stack


@dataclass(frozen=True, slots=True)
class Candidate:
    """A site that may need a certificate, with everything a source needs to decide.

    Attributes:
        sharing: the sites that share its certificate, including the site itself.
        local_ca: the stack's own CA, if there is one.
        imported: the imported certificate that the Compose file names for the site, if it exists.
    """

    stack: Stack
    site: Site
    sharing: tuple[Site, ...]
    held: Held
    now: datetime
    local_ca: LocalCa | None = None
    imported: Stored | None = None

    @property
    def import_fault(self) -> str | None:
        """Why the imported certificate that the Compose file names does not suffice, or None."""
        return import_fault(self.site, self.imported, self.now)


class CertificateSource(Protocol):
    """The decisions of a source of certificates: pure."""

    @property
    def name(self) -> str:
        """The name by which :attr:`Held.source` refers to it."""

    def owns(self, stack: Stack, site: Site) -> bool:
        """Whether ``site`` gets its certificate from this source."""

    def wants(self, candidate: Candidate) -> str | None:
        """Return why a certificate must be requested, or None."""

    def request(self, candidate: Candidate, *, force: bool) -> CertificateRequest:
        """Return the request for the candidate's certificate; ``force`` replaces one that is not due."""

    def authority(self, stack: Stack) -> str | None:
        """Return the ACME directory it orders from; None if no CA validates names and limits orders."""

    def pair(self, site: Site, request: CertificateRequest) -> Pair:
        """Return where the proxy finds the certificate of ``site`` once ``request`` has succeeded."""


S = TypeVar("S", bound=CertificateSource)


def source_of(sources: Mapping[str, S], stack: Stack, *sites: Site) -> S:
    """Return the first of ``sources`` that owns one of ``sites``, which share a certificate; the last owns all."""
    return next(source for source in sources.values() if any(source.owns(stack, site) for site in sites))
