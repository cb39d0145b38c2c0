"""Decide which certificates the stack's own CA issues; pure."""

from __future__ import annotations

from stackctl.certs.local_ca import NEW_ROOT, LocalCa, wanted_domains
from stackctl.certs.request import CertificateRequest
from stackctl.certs.shelf import Source
from stackctl.certs.source import Candidate
from stackctl.wording import listed


def wants(candidate: Candidate) -> str | None:
    """Return why the site's certificate must be issued, or None."""
    stored, ca = candidate.held.stored, candidate.local_ca
    if stored is None or stored.source != Source.LOCAL:
        cause = "the local CA has issued none yet"
    elif ca is not None and ca.problem is None and stored.certificate.issuer != ca.name:
        cause = "it is from an earlier local CA"
    elif set(stored.certificate.names) != set(candidate.site.domains):
        cause = "its names changed"
    elif stored.certificate.due(candidate.now):
        cause = "it is due"
    else:
        return None
    fault = _fault(candidate)
    return fault[0] if fault else cause


def request(candidate: Candidate, *, force: bool) -> CertificateRequest:
    """Return the request for the names of the site alone; it says what to do where the CA cannot issue."""
    fault = _fault(candidate)
    site = candidate.site
    why_not, todo = fault or (None, None)
    return CertificateRequest(site.lineage, site.domains, force=force, todo=todo, why_not=why_not)


def _fault(candidate: Candidate) -> tuple[str, str] | None:
    """Return why the CA cannot issue for the names of the site, and what to do; or None."""
    ca = candidate.local_ca
    if ca is None or ca.problem is not None:
        problem = ca.problem if ca is not None else None
        return problem or "there is no local CA", f"restore it from a backup, or {NEW_ROOT}"
    outside = [name for name in candidate.site.domains if not ca.permits(name)]
    if not outside:
        return None
    return _outside(candidate, ca, outside[0])


def _outside(candidate: Candidate, ca: LocalCa, name: str) -> tuple[str, str]:
    cause = f"the local CA can only issue for names below {listed(tuple(f'.{one}' for one in ca.domains))}, not {name}"
    wanted = wanted_domains(candidate.stack.acme)
    if any(name == one or name.endswith(f".{one}") for one in wanted):
        return cause, f"{NEW_ROOT}: 'local-domains' counts for a new root only"
    instead = f"use a name such as {name.partition('.')[0]}.localhost"
    return cause, f"{instead}, or add the domain to 'local-domains' in x-stackctl and {NEW_ROOT}"
