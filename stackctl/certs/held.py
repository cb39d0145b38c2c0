"""Decide which certificate a site has, and from which source: the only place that does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from stackctl.certs.copied import Pair, lineage_pair, stored_pair
from stackctl.certs.lineage import Certificate, Lineage
from stackctl.certs.shelf import Shelf, Source, Stored, only_imported
from stackctl.model.routing import Site
from stackctl.model.second import second_of
from stackctl.model.values import Domain


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
        second: the certificate with another kind of key that is served beside this one, to clients of that kind.
        second_own: the lineage of it, usable or not.
    """

    site: Domain
    source: str
    pair: Pair
    certificate: Certificate | None
    lineage: str | None = None
    own: Lineage | None = None
    stored: Stored | None = None
    others: tuple[Part, ...] = ()
    second: Part | None = None
    second_own: Lineage | None = None

    @property
    def real(self) -> bool:
        """Whether it is not a dummy."""
        return self.source != Source.DUMMY

    @property
    def lineages(self) -> frozenset[str]:
        """The lineages that the site needs: its own, and those that it is served with."""
        served = {self.lineage, *(part.lineage for part in self.others)} - {None}
        return frozenset({str(name) for name in served} | {one.name for one in (self.own, self.second_own) if one})

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
    """Return the certificates that ``site`` is served with: see :func:`_held`, and beside it one with another key."""
    there = _held(site, shelf)
    second = second_of(site)
    own = None if second is None else shelf.own(second)
    if second is None or own is None:
        return there
    part = _part_of(own, site.domains, shelf)
    beside = part is not None and part.names == site.domains and _goes_beside(part, there)
    return replace(there, second=part if beside else None, second_own=own)


def _goes_beside(second: Part, first: Held) -> bool:
    """Return whether a proxy can serve ``second`` beside ``first``: of two with one kind of key it shows the last."""
    if first.certificate is None or not first.real or first.others:
        return False
    kinds = {one.key.partition("-")[0] for one in (first.certificate, second.certificate)}
    return len(kinds) == 2 and "" not in kinds


def _held(site: Site, shelf: Shelf) -> Held:
    """Return the certificates that a site is served with, but for one with another kind of key.

    Each name has the first valid certificate that covers it: the imported one that the Compose file names, unless its
    fallback is due; the site's own lineage; that imported one after all; another lineage, one for all names that are
    left before one for most of them, and of several the one that is valid longest; what is stored for the site, or
    kept for the name, or imported for other sites; and one that has expired. Other names are served with the first.
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
    if only_imported(site) and first.source == Source.IMPORTED and not others:
        own = None  # a lineage that it had before is nobody's
    return Held(site.name, first.source, first.pair, first.certificate, first.lineage, own, stored, others)


def _parts(site: Site, shelf: Shelf) -> Iterator[Part]:
    """Yield the certificates that cover names of a site, with those that each is served for."""
    left, own = site.domains, shelf.own(site)
    chosen = None if shelf.falls_back(site) else _chosen_part(site, left, shelf)
    for first in (chosen, _part_of(own, left, shelf)):
        part = first and replace(first, names=tuple(name for name in left if name in first.names))
        if part and part.names:
            yield part
            left = tuple(name for name in left if name not in part.names)
    while left and (part := _best_part(site, own, left, shelf)) is not None:
        yield part
        left = tuple(name for name in left if name not in part.names)


def _chosen_part(site: Site, left: Sequence[Domain], shelf: Shelf, *, expired: bool = False) -> Part | None:
    """Return what is served of the imported certificate that the Compose file names."""
    there = shelf.imported(site)
    if site.imported is None or there is None:
        return None
    return _stored_part(site.imported.name, left, shelf, expired=expired)


def _best_part(site: Site, own: Lineage | None, left: Sequence[Domain], shelf: Shelf) -> Part | None:
    """Return what is served for names that the site's own lineage does not cover, or for the first of them."""
    return next((part for part in _ranked(site, own, left, shelf) if part is not None), None)


def _ranked(site: Site, own: Lineage | None, left: Sequence[Domain], shelf: Shelf) -> Iterator[Part | None]:
    """Yield what could be served for these names, the best first; each is only looked for if it is asked for."""
    stored = _stored_part(site.name, left, shelf)
    yield _chosen_part(site, left, shelf)
    yield stored if stored is not None and site.local and stored.source == Source.LOCAL else None
    yield _part_of(shelf.covering(left), left, shelf)
    yield stored if stored is not None and len(stored.names) == len(left) else None
    yield _part_of(shelf.covering(left, partly=True), left, shelf)
    yield stored
    yield from (_stored_part(name, (name,), shelf) for name in left)
    yield _stored_part(shelf.covering_import(left) or site.name, left, shelf)
    yield _chosen_part(site, left, shelf, expired=True)
    yield _part_of(own, left, shelf, expired=True)
    yield _stored_part(site.name, left, shelf, expired=True)


def _part_of(lineage: Lineage | None, left: Sequence[Domain], shelf: Shelf, *, expired: bool = False) -> Part | None:
    certificate = shelf.servable(lineage.name) if lineage is not None else None
    if lineage is None or certificate is None or not (expired or shelf.valid(certificate)):
        return None
    names = tuple(name for name in left if certificate.covers(name))
    return Part(names, Source.ACME, lineage_pair(lineage.name), certificate, lineage.name) if names else None


def _stored_part(folder: str, left: Sequence[Domain], shelf: Shelf, *, expired: bool = False) -> Part | None:
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
