"""Decide which certificate a site has, and from which source: the only place that does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property

from stackctl.certs import copied
from stackctl.certs.copied import Copy, Pair, lineage_pair, stored_pair
from stackctl.certs.dummy import is_dummy
from stackctl.certs.lineage import Certificate, Lineage
from stackctl.certs.local_ca import LocalCa
from stackctl.model.routing import Site
from stackctl.model.values import Domain

_EPOCH = datetime.fromtimestamp(0, UTC)


class Source(StrEnum):
    """Where a certificate comes from."""

    ACME = "acme"
    IMPORTED = "imported"
    DUMMY = "dummy"
    KEPT = "kept"
    """A copy of what a name was served with, until its own certificate is issued."""

    LOCAL = "local"
    """The stack's own CA."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A certificate with its key below ``data/certs``, and its source.

    Attributes:
        version: the id of the pair on disk; None if there is none yet, or it is broken and this is its last good copy.
    """

    certificate: Certificate
    source: str
    version: str | None = None

    @classmethod
    def of(cls, certificate: Certificate, recorded: str | None = None, version: str | None = None) -> Stored:
        """Return a certificate with its source; ``recorded`` is the one that was stored with it."""
        source = Source.DUMMY if is_dummy(certificate) else recorded or Source.IMPORTED
        return cls(certificate, source, version)

    @property
    def real(self) -> bool:
        """Whether it is not a dummy."""
        return self.source != Source.DUMMY


@dataclass(frozen=True)
class Shelf:
    """Every certificate a stack has.

    Attributes:
        lineages: certbot's lineages, by name; one that is gone and has a copy is among them, with its problem.
        stored: the certificates below ``data/certs``, by site.
        now: the time at which a certificate is valid or not.
        copies: the copies of lineages that a proxy reads, by name.
        stored_copies: the copies of the stored certificates, by site.
        local_ca: the stack's own CA, if there is one.
    """

    lineages: Mapping[str, Lineage] = field(default_factory=dict)
    stored: Mapping[str, Stored] = field(default_factory=dict)
    now: datetime = _EPOCH
    copies: Mapping[str, Copy] = field(default_factory=dict)
    stored_copies: Mapping[str, Copy] = field(default_factory=dict)
    local_ca: LocalCa | None = None

    def servable(self, lineage: str) -> Certificate | None:
        """Return what a proxy can serve of a lineage, or of its last good copy; or None."""
        return copied.servable(self.lineages.get(lineage), self.copies.get(lineage), self.now)

    def valid(self, certificate: Certificate | None) -> bool:
        """Return whether a certificate is valid now."""
        return certificate is not None and self.now < certificate.not_after

    def own(self, site: Site) -> Lineage | None:
        """Return the lineage that belongs to a site, usable or not.

        It is the one that the Compose file names; else one for exactly the names of the site, whatever it is called;
        else the one that is named after the site. A site of the stack's own CA has none.
        """
        if site.local:
            return None
        if site.certificate is not None:
            return self.lineages.get(site.certificate)
        exact = self._by_set.get(frozenset(site.domains), ())
        best = max(exact, key=lambda one: self._rank(one, site), default=None)
        return best or self.lineages.get(site.lineage)

    def name_of(self, site: Site) -> str:
        """Return the name of the lineage that belongs to a site, or will."""
        own = self.own(site)
        return site.lineage if own is None else own.name

    def _rank(self, one: Lineage, site: Site) -> tuple[bool, bool, datetime, str]:
        certificate = one.certificate or one.repaired
        good = self.valid(self.servable(one.name)) and not one.from_staging
        return good, one.name == site.name, certificate.not_after if certificate else self.now, one.name

    @cached_property
    def _by_set(self) -> Mapping[frozenset[str], Sequence[Lineage]]:
        found: dict[frozenset[str], list[Lineage]] = {}
        for one in self.lineages.values():
            certificate = one.certificate or one.repaired
            found.setdefault(frozenset(certificate.names if certificate else ()), []).append(one)
        return found

    def covering(self, names: Sequence[str], *, partly: bool = False) -> Lineage | None:
        """Return the lineage that is valid, covers all of ``names`` and is valid longest.

        With ``partly`` it is the one that covers most of them, and at least one. Certificates of a test CA do not
        count: their site is better served over plain HTTP.
        """
        labels = (label for name in (names if partly else names[:1]) for label in (name, f"*.{name.partition('.')[2]}"))
        best: tuple[int, datetime, str] | None = None
        for one, certificate in (found for label in labels for found in self._by_name.get(label, ())):
            covered = sum(certificate.covers(name) for name in names)
            if partly or covered == len(names):
                best = max(best or (0, certificate.not_after, ""), (covered, certificate.not_after, one.name))
        return self.lineages[best[2]] if best else None

    @cached_property
    def _by_name(self) -> Mapping[str, Sequence[tuple[Lineage, Certificate]]]:
        found: dict[str, list[tuple[Lineage, Certificate]]] = {}
        for one in self.lineages.values():
            certificate = self.servable(one.name)
            if certificate is not None and self.valid(certificate) and not one.from_staging:
                for name in certificate.names:
                    found.setdefault(name, []).append((one, certificate))
        return found


@dataclass(frozen=True, slots=True)
class Part:
    """The names of a site that one certificate is served for; see :class:`Held` for the other attributes."""

    names: tuple[Domain, ...]
    source: str
    pair: Pair
    certificate: Certificate
    lineage: str | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """The certificates a site is served with: the one for its first name and, while its names change, others.

    Attributes:
        site: the site's own name.
        source: a :class:`Source`, or the name of another issuer that is registered.
        pair: where the proxy finds it.
        certificate: None if there is none yet, not even a dummy.
        lineage: the certbot lineage that it belongs to; None for a certificate below ``data/certs``.
        own: the site's own lineage, usable or not.
        stored: the certificate below ``data/certs`` for the site, whether it is served or not.
        others: the names that this certificate does not cover and another does, by that certificate.
    """

    site: Domain
    source: str
    pair: Pair
    certificate: Certificate | None
    lineage: str | None = None
    own: Lineage | None = None
    stored: Stored | None = None
    others: tuple[Part, ...] = ()

    @property
    def real(self) -> bool:
        """Whether it is not a dummy."""
        return self.source != Source.DUMMY

    @property
    def lineages(self) -> frozenset[str]:
        """The lineages that the site needs: its own, and those that it is served with."""
        served = {self.lineage, *(part.lineage for part in self.others)} - {None}
        return frozenset({str(name) for name in served} | ({self.own.name} if self.own else set()))

    def of(self, name: str) -> Certificate | None:
        """Return the real certificate that is served for a name and covers it, or None."""
        served = next((part.certificate for part in self.others if name in part.names), None)
        served = served or (self.certificate if self.real else None)
        return served if served is not None and served.covers(name) else None

    @property
    def witnesses(self) -> Mapping[Domain, Certificate | None]:
        """One name for each certificate, with the certificate that a handshake with it shows."""
        return {self.site: self.certificate, **{part.names[0]: part.certificate for part in self.others}}

    @property
    def borrowed(self) -> bool:
        """Whether it belongs to a lineage other than the site's own."""
        return self.lineage is not None and (self.own is None or self.own.name != self.lineage)

    @property
    def is_own_lineage(self) -> bool:
        """Whether it belongs to the site's own lineage."""
        return self.lineage is not None and not self.borrowed

    @property
    def problem(self) -> str | None:
        """Why the site's own lineage cannot be served as it is now, or None."""
        return self.own.problem if self.own else None

    @property
    def on_disk(self) -> Certificate | None:
        """The real certificate: the one that is served, else that of the site's own lineage even if it is broken."""
        if self.real:
            return self.certificate
        return self.own.certificate if self.own else None


def held(site: Site, shelf: Shelf) -> Held:
    """Return the certificates that ``site`` is served with.

    Each name has the first valid certificate that covers it: the site's own lineage; another lineage, one for all
    names that are left before one for most of them, and of several the one that is valid longest; an imported
    certificate; one that is kept for the name; and one that has expired. Other names are served with the first.
    """
    own, stored, parts = shelf.own(site), shelf.stored.get(site.name), list(_parts(site, shelf))
    if not parts:
        certificate = shelf.servable(own.name) if own is not None else None
        if own is not None and certificate is not None:
            return Held(site.name, Source.ACME, lineage_pair(own.name), certificate, own.name, own, stored)
        source, certificate = (stored.source, stored.certificate) if stored else (Source.DUMMY, None)
        return Held(site.name, source, stored_pair(site.name), certificate, None, own, stored)
    first = next((part for part in parts if site.name in part.names), parts[0])
    others = tuple(part for part in parts if part is not first)
    return Held(site.name, first.source, first.pair, first.certificate, first.lineage, own, stored, others)


def _parts(site: Site, shelf: Shelf) -> Iterator[Part]:
    """Yield the certificates that cover names of a site, with those that each is served for."""
    left, own = site.domains, shelf.own(site)
    for lineage in (own, None):
        while left:
            part = _part_of(lineage, left, shelf) if lineage else _best_part(site, own, left, shelf)
            if part is None:
                break
            yield part
            left = tuple(name for name in left if name not in part.names)


def _best_part(site: Site, own: Lineage | None, left: Sequence[Domain], shelf: Shelf) -> Part | None:
    """Return what is served for names that the site's own lineage does not cover, or for the first of them."""
    stored = _stored_part(site.name, left, shelf)
    ranked = (
        stored if stored is not None and site.local and stored.source == Source.LOCAL else None,
        _part_of(shelf.covering(left), left, shelf),
        stored if stored is not None and len(stored.names) == len(left) else None,
        _part_of(shelf.covering(left, partly=True), left, shelf),
        stored,
        *(_stored_part(name, (name,), shelf) for name in left),
        _part_of(own, left, shelf, expired=True),
        _stored_part(site.name, left, shelf, expired=True),
    )
    return next((part for part in ranked if part is not None), None)


def _part_of(lineage: Lineage | None, left: Sequence[Domain], shelf: Shelf, *, expired: bool = False) -> Part | None:
    certificate = shelf.servable(lineage.name) if lineage is not None else None
    if lineage is None or certificate is None or not (expired or shelf.valid(certificate)):
        return None
    names = tuple(name for name in left if certificate.covers(name))
    return Part(names, Source.ACME, lineage_pair(lineage.name), certificate, lineage.name) if names else None


def _stored_part(folder: Domain, left: Sequence[Domain], shelf: Shelf, *, expired: bool = False) -> Part | None:
    stored = shelf.stored.get(folder)
    if stored is None or not stored.real or not (expired or shelf.valid(stored.certificate)):
        return None
    names = tuple(name for name in left if stored.certificate.covers(name))
    return Part(names, stored.source, stored_pair(folder), stored.certificate) if names else None


def owned(site: Domain, lineage: str, shelf: Shelf) -> Held | None:
    """Return the certificate that belongs to ``site`` alone, usable or not; it is deleted with the site."""
    own, stored = shelf.lineages.get(lineage), shelf.stored.get(site)
    if own is not None:
        return Held(site, Source.ACME, lineage_pair(lineage), own.certificate, lineage, own, stored)
    if stored is not None:
        return Held(site, stored.source, stored_pair(site), stored.certificate, None, None, stored)
    return None
