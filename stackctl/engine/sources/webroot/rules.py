"""Decide which certificates certbot must be asked for, and with which names; pure."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from stackctl.certs.held import Held, Source
from stackctl.certs.lineage import Certificate, Lineage
from stackctl.certs.request import CertificateRequest
from stackctl.certs.source import Candidate
from stackctl.model.layout import CERTS
from stackctl.model.routing import Site
from stackctl.model.stack import LETSENCRYPT_STAGING, Stack
from stackctl.model.values import Domain


def wants(candidate: Candidate) -> str | None:
    """Return why the site's lineage is not what it needs, or None.

    A site without a lineage needs none while it has a certificate from elsewhere.
    """
    if candidate.held.own is None:
        return _need(candidate.site, candidate.held, candidate.now)
    return _fault(candidate.stack, candidate.site, candidate.sharing, candidate.held.own)


def request(candidate: Candidate, *, force: bool) -> CertificateRequest:
    """Return the request for the lineage; one of the staging CA is replaced although it is not due."""
    own = candidate.held.own
    force = force or (own is not None and _to_promote(candidate.stack, own))
    names = _names(candidate.site, candidate.sharing, own)
    return CertificateRequest(candidate.site.lineage, names, force=force)


def _names(site: Site, sharing: Collection[Site], lineage: Lineage | None) -> tuple[Domain, ...]:
    """Return the names to request: all of the sites that share it and, if the file names it, those it has already."""
    names = dict.fromkeys([*site.domains, *(name for one in sharing for name in one.domains)])
    if lineage is not None and lineage.certificate and any(one.certificate for one in sharing):
        # HTTP-01 proves no wildcard.
        names |= dict.fromkeys(Domain(name) for name in lineage.certificate.names if not name.startswith("*."))
    return tuple(names)


def _need(site: Site, there: Held, now: datetime) -> str | None:
    """Return why a site without a lineage needs one: not while it has a certificate from elsewhere."""
    if there.stored is None or there.stored.source == Source.DUMMY:
        return "it has none yet"
    imported = there.stored.certificate
    if not all(imported.covers(name) for name in site.domains):
        return f"the one in {CERTS.path} is not for all of its names"
    return f"the one in {CERTS.path} is due" if imported.due(now) else None


def _fault(stack: Stack, site: Site, sharing: Collection[Site], lineage: Lineage) -> str | None:
    """Return why a lineage is not what the site needs, or None."""
    if not lineage.usable or lineage.certificate is None:
        return f"the one on disk cannot be used: {lineage.problem}"
    if not _fits(site, sharing, lineage.certificate):
        return "its names changed"
    if not lineage.renewable:
        return "a part of the one on disk is lost: of its chain, its renewal file or its links"
    return "the one on disk is of the staging CA" if _to_promote(stack, lineage) else None


def _fits(site: Site, sharing: Collection[Site], certificate: Certificate) -> bool:
    """Whether it is for exactly the site's names; with a wildcard, or named in the file, it may be for more."""
    names = frozenset(certificate.names)
    wide = any(one.certificate for one in sharing) or any(name.startswith("*.") for name in names)
    return frozenset(site.domains) == names or (wide and all(certificate.covers(name) for name in site.domains))


def _to_promote(stack: Stack, lineage: Lineage) -> bool:
    """Whether it is a certificate of the staging CA in a stack that has left staging."""
    return lineage.from_staging and stack.acme.directory != LETSENCRYPT_STAGING
