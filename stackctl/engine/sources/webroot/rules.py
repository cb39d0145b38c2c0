"""Decide which certificates to request from certbot, and with which names; pure."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from stackctl.certs.held import Held
from stackctl.certs.lineage import Certificate, Lineage, own_way_todo
from stackctl.certs.request import CertificateRequest
from stackctl.certs.shelf import Source
from stackctl.certs.source import Candidate
from stackctl.model.acme import LETSENCRYPT_STAGING, Acme, OwnIssuance
from stackctl.model.layout import CERTS, site_of_file
from stackctl.model.routing import Site
from stackctl.model.values import Domain
from stackctl.wording import listed


def wants(candidate: Candidate) -> str | None:
    """Return why the site's lineage must be requested, or None.

    A site without a lineage needs none while it has an imported certificate.
    """
    own = candidate.held.own
    if own is None:
        return candidate.import_fault or _need(candidate.site, candidate.held, candidate.now)
    if own.own_way:
        return _own_fault(own, candidate.site)
    return fault(candidate, own)


def request(candidate: Candidate, *, force: bool) -> CertificateRequest:
    """Return the request for the lineage; a staging certificate is replaced although it is not due."""
    own = candidate.held.own
    if own is not None and own.own_way:
        why = None if force else wants(candidate)
        certificate = own.certificate or own.repaired
        names = tuple(Domain(name) for name in certificate.names) if certificate else candidate.site.domains
        todo = why and own_way_todo(own, candidate.site.domains)
        return CertificateRequest(own.name, names, force=force, own_way=True, server=own.server, todo=todo)
    return requested(candidate, force=force)


def requested(candidate: Candidate, *, force: bool) -> CertificateRequest:
    """Return the request for all names of the sites that share the lineage."""
    own = candidate.held.own
    # certbot keeps what is not due, however damaged.
    force = force or (own is not None and (_to_promote(candidate, own) or not own.renewable))
    names = _names(candidate.site, candidate.sharing, own)
    acme = candidate.stack.acme_of(*candidate.sharing)
    force = force or (own is not None and _other_issuance(candidate, own) is not None)
    name = own.name if own is not None else candidate.site.lineage
    return CertificateRequest(name, names, force=force, acme=acme if acme != candidate.stack.acme else None)


def _names(site: Site, sharing: Collection[Site], lineage: Lineage | None) -> tuple[Domain, ...]:
    """Return the names to request: those of all sites that share the lineage and, if the file names it, its own."""
    names = dict.fromkeys([*site.domains, *(name for one in sharing for name in one.domains)])
    if lineage is not None and lineage.certificate and any(one.certificate for one in sharing):
        # HTTP-01 cannot validate wildcards.
        names |= dict.fromkeys(Domain(name) for name in lineage.certificate.names if not name.startswith("*."))
    return tuple(names)


def _need(site: Site, there: Held, now: datetime) -> str | None:
    """Return why a site without a lineage needs one; None while its imported certificate suffices."""
    if there.stored is None or there.stored.source in {Source.DUMMY, Source.KEPT, Source.LOCAL}:
        return "it has no certificate yet"
    imported = there.stored.certificate
    if not all(imported.covers(name) for name in site.domains):
        return f"its certificate in {CERTS} does not cover all of its names"
    return f"its certificate in {CERTS} is due" if imported.due(now) else None


def _own_fault(lineage: Lineage, site: Site) -> str | None:
    """Return why a lineage that only certbot renews does not meet the site's needs, or None."""
    if not lineage.usable or lineage.certificate is None:
        return f"its lineage is unusable: {lineage.problem}"
    missing = [name for name in site.domains if not lineage.certificate.covers(name)]
    if missing:
        way = f"certbot renews by {lineage.authenticator}" if lineage.authenticator else "only certbot can renew"
        return f"{site_of_file(lineage.name)}, which {way}, does not cover {listed(missing)}"
    return f"its lineage is incomplete: {lineage.fault}" if lineage.fault else None


def fault(candidate: Candidate, lineage: Lineage) -> str | None:
    """Return why a lineage does not meet the site's needs, or None."""
    site, sharing = candidate.site, candidate.sharing
    if not lineage.usable or lineage.certificate is None:
        return f"its lineage is unusable: {lineage.problem}"
    if not _fits(site, sharing, lineage.certificate):
        return "its names changed"
    if lineage.fault is not None:
        return f"its lineage is incomplete: {lineage.fault}"
    if _to_promote(candidate, lineage):
        return "its certificate is from the staging CA"
    return _other_issuance(candidate, lineage)


def _other_issuance(candidate: Candidate, lineage: Lineage) -> str | None:
    """Return which of the settings that the site has of its own the certificate does not have, or None.

    A setting of all sites counts from the next renewal on: adopted certificates have others, and an order for each
    of a thousand sites is for the user to decide.
    """
    own = next((site.issuance for site in candidate.sharing if site.issuance), None)
    return None if own is None else difference(candidate.stack.acme_of(*candidate.sharing), lineage, own)


def difference(acme: Acme, lineage: Lineage, own: OwnIssuance | None = None) -> str | None:
    """Return in what a certificate differs from what would be requested now, or None; with ``own`` only in those.

    CA and profile are those of its renewal file. A trusted certificate is not replaced by one of a CA for tests.
    """
    certificate = lineage.certificate
    if certificate is None or lineage.gone:
        return None
    moved = lineage.server not in {None, acme.directory} and not acme.is_for_tests
    if moved and (own is None or own.ca is not None):
        return f"its certificate is from {lineage.server}"
    if certificate.key not in {"", acme.key} and (own is None or own.key_type or own.key_size):
        return f"its key is {certificate.key}"
    if lineage.profile != acme.profile and (own is None or own.profile is not None):
        return f"its profile is {lineage.profile or 'that of the CA'}"
    return None


def _fits(site: Site, sharing: Collection[Site], certificate: Certificate) -> bool:
    """Return whether it is for exactly the site's names; a wildcard or named certificate may cover more."""
    names = frozenset(certificate.names)
    wide = any(one.certificate for one in sharing) or any(name.startswith("*.") for name in names)
    return frozenset(site.domains) == names or (wide and all(certificate.covers(name) for name in site.domains))


def _to_promote(candidate: Candidate, lineage: Lineage) -> bool:
    """Return whether it is a staging certificate of a site that no longer uses the staging CA."""
    return lineage.from_staging and candidate.stack.acme_of(*candidate.sharing).directory != LETSENCRYPT_STAGING
