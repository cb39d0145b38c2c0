"""Keep what a name is served with while the lineage that covers it is replaced by one without the name."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from stackctl.certs.held import Held, held
from stackctl.certs.lineage import Certificate
from stackctl.certs.request import CertificateRequest
from stackctl.certs.shelf import Shelf, Source, Stored
from stackctl.model.layout import site_of_file
from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.model.values import Domain
from stackctl.observed.state import Observed
from stackctl.plan.certificates import Issue
from stackctl.plan.operation import Operation

_FOR_A_WHILE = frozenset((Source.KEPT, Source.LOCAL))
"""What is stored until a name has another certificate; that of a site of the local CA is its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepCertificate(Operation):
    """Store a copy of a lineage for one name, which another site is served with."""

    name: Domain
    lineage: str

    @property
    def text(self) -> str:
        """A short description of what it does."""
        return f"keep the certificate {site_of_file(self.lineage)} for {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DropKept(Operation):
    """Delete the copy that was kept for a name."""

    name: Domain

    @property
    def text(self) -> str:
        """A short description of what it does."""
        return f"delete the certificate that was kept for {self.name}"


def keep_certificates(
    stack: Stack, observed: Observed, requests: Sequence[Operation]
) -> tuple[Shelf, list[KeepCertificate]]:
    """Return what names lose by ``requests`` and must be kept, and the certificates on which nothing is lost then.

    In the returned ones each lineage that is replaced covers only the names that it has before and after.
    """
    shelf = observed.shelf
    issues = {one.request.lineage: one for one in requests if isinstance(one, Issue)}
    after = _narrowed(shelf, {lineage: one.request for lineage, one in issues.items()})
    kept: list[KeepCertificate] = []
    stored = dict(after.stored)
    for site in stack.sites:
        before, then = held(site, shelf), held(site, after)
        for name in site.domains:
            lineage = _lineage_of(before, name)
            certificate = before.of(name)
            if lineage not in issues or certificate is None or then.of(name) is not None:
                continue
            if name in stored and stored[name].source not in {Source.DUMMY, Source.KEPT}:
                continue  # the user's own
            stored[name] = Stored(certificate, Source.KEPT)
            cause = f"{site_of_file(str(lineage))} is replaced by a certificate without it"
            sharing = tuple(Domain(scope) for scope in issues[lineage].scopes)
            kept.append(KeepCertificate(name=name, lineage=lineage, cause=cause, scope=site.name, sharing=sharing))
    return replace(after, stored=stored), kept


def drop_kept(stack: Stack, shelf: Shelf, sites: Collection[Site], issued: Collection[Site]) -> Iterator[DropKept]:
    """Yield what deletes the copies that no name needs any more, once the certificates of ``issued`` are issued."""
    owners = {name: site for site in stack.sites for name in site.domains}
    for folder, one in sorted(shelf.stored.items()):
        name = Domain(folder)
        site = owners.get(name)
        if one.source not in _FOR_A_WHILE or (site is not None and site.local and site.name == name):
            continue
        if site is None:
            yield DropKept(name=name, cause="it is no longer routed", scope=f"kept:{name}")
        elif site in issued and site.local and name == site.name:
            continue  # the local CA stores its certificate in the same folder
        elif site in issued:
            yield DropKept(name=name, cause="the site has its own certificate", scope=site.name)
        elif site in sites and not _serves(held(site, shelf), name):
            yield DropKept(name=name, cause="another certificate covers it", scope=site.name)


def _narrowed(shelf: Shelf, requests: Mapping[str, CertificateRequest]) -> Shelf:
    lineages, copies = dict(shelf.lineages), dict(shelf.copies)
    for name, request in requests.items():
        one, copy = lineages.get(name), copies.get(name)
        if one is not None and one.certificate is not None:
            lineages[name] = replace(one, certificate=_covering_only(one.certificate, request.names))
        if copy is not None:
            copies[name] = replace(copy, certificate=_covering_only(copy.certificate, request.names))
    return replace(shelf, lineages=lineages, copies=copies)


def _covering_only(certificate: Certificate, names: Sequence[Domain]) -> Certificate:
    """Return a certificate as if it had only the names that it has and that are requested."""
    left = {name for name in names if certificate.covers(name)} | (set(certificate.names) & set(names))
    return replace(certificate, names=tuple(sorted(left)))


def _lineage_of(there: Held, name: Domain) -> str | None:
    part = next((part for part in there.others if name in part.names), None)
    return part.lineage if part else there.lineage


def _serves(there: Held, name: Domain) -> bool:
    """Return whether what is stored for the name is what it is served with."""
    part = next((part for part in there.others if name in part.names), None)
    return (part.source if part else there.source) in _FOR_A_WHILE
