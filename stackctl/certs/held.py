"""Decide which certificate a site has, and from which source: the only place that does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from stackctl.certs.dummy import is_dummy
from stackctl.certs.lineage import Certificate, Lineage
from stackctl.model.layout import CERTBOT_CONF, FULLCHAIN, PRIVKEY, Place, lineage_folder, site_certs
from stackctl.model.routing import Site
from stackctl.model.values import Domain


class Source(StrEnum):
    """Where a certificate comes from."""

    ACME = "acme"
    IMPORTED = "imported"
    DUMMY = "dummy"


@dataclass(frozen=True, slots=True)
class Pair:
    """The paths of a chain and its key inside the proxy's container."""

    chain: str
    key: str


def lineage_pair(lineage: str) -> Pair:
    """Return where the proxy finds a certbot lineage."""
    return _pair(CERTBOT_CONF / lineage_folder(lineage))


def stored_pair(site: str) -> Pair:
    """Return where the proxy finds the certificate that is stored for a site."""
    return _pair(site_certs(site))


def _pair(folder: Place) -> Pair:
    return Pair((folder / FULLCHAIN).mount, (folder / PRIVKEY).mount)


@dataclass(frozen=True, slots=True)
class Stored:
    """A certificate with its key below ``data/certs``, and its source."""

    certificate: Certificate
    source: str

    @classmethod
    def of(cls, certificate: Certificate, recorded: str | None = None) -> Stored:
        """Return a certificate with its source; ``recorded`` is the one that was stored with it."""
        if is_dummy(certificate):
            return cls(certificate, Source.DUMMY)
        return cls(certificate, recorded or Source.IMPORTED)

    @property
    def real(self) -> bool:
        """Whether it is not a dummy."""
        return self.source != Source.DUMMY


@dataclass(frozen=True)
class Shelf:
    """Every certificate a stack has.

    Attributes:
        lineages: certbot's lineages, by name.
        stored: the certificates below ``data/certs``, by site.
    """

    lineages: Mapping[str, Lineage] = field(default_factory=dict)
    stored: Mapping[str, Stored] = field(default_factory=dict)

    def covering(self, names: Sequence[str]) -> Lineage | None:
        """Return the usable lineage that covers all of ``names`` and is valid longest.

        Certificates of a test CA do not count: their site is better served over plain HTTP.
        """
        first = names[0]
        found = {
            (certificate.not_after, one.name): one
            for label in (first, f"*.{first.partition('.')[2]}")
            for one in self._by_name.get(label, ())
            if (certificate := one.certificate) is not None and all(certificate.covers(name) for name in names)
        }
        return found[max(found)] if found else None

    @cached_property
    def _by_name(self) -> Mapping[str, Sequence[Lineage]]:
        found: dict[str, list[Lineage]] = {}
        for one in self.lineages.values():
            if one.usable and one.certificate is not None and not one.from_staging:
                for name in one.certificate.names:
                    found.setdefault(name, []).append(one)
        return found


@dataclass(frozen=True, slots=True)
class Held:
    """The certificate a site is served with.

    Attributes:
        site: the site's own name.
        source: a :class:`Source`, or the name of another issuer that is registered.
        pair: where the proxy finds it.
        certificate: None if there is none yet, not even a dummy.
        lineage: the certbot lineage that it belongs to; None for a certificate below ``data/certs``.
        own: the site's own lineage, usable or not.
        stored: the certificate below ``data/certs`` for the site, whether it is served or not.
    """

    site: Domain
    source: str
    pair: Pair
    certificate: Certificate | None
    lineage: str | None = None
    own: Lineage | None = None
    stored: Stored | None = None

    @property
    def real(self) -> bool:
        """Whether it is not a dummy."""
        return self.source != Source.DUMMY

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
        """Why the site's own lineage cannot be served, or None."""
        return self.own.problem if self.own else None

    @property
    def on_disk(self) -> Certificate | None:
        """The real certificate: the one that is served, else that of the site's own lineage even if it is broken."""
        if self.real:
            return self.certificate
        return self.own.certificate if self.own else None


def held(site: Site, shelf: Shelf) -> Held:
    """Return the certificate that ``site`` is served with.

    It is the site's own lineage; else the usable lineage that covers all of its names and is valid
    longest; else what is stored for it: an imported certificate, or the dummy.
    """
    own, stored = shelf.lineages.get(site.lineage), shelf.stored.get(site.name)
    served = own if own is not None and own.usable else shelf.covering(site.domains)
    if served is not None:
        pair = lineage_pair(served.name)
        return Held(site.name, Source.ACME, pair, served.certificate, served.name, own, stored)
    source, certificate = (stored.source, stored.certificate) if stored else (Source.DUMMY, None)
    return Held(site.name, source, stored_pair(site.name), certificate, None, own, stored)


def owned(site: Domain, lineage: str, shelf: Shelf) -> Held | None:
    """Return the certificate that belongs to ``site`` alone, usable or not; it is deleted with the site."""
    own, stored = shelf.lineages.get(lineage), shelf.stored.get(site)
    if own is not None:
        return Held(site, Source.ACME, lineage_pair(lineage), own.certificate, lineage, own, stored)
    if stored is not None:
        return Held(site, stored.source, stored_pair(site), stored.certificate, None, None, stored)
    return None
