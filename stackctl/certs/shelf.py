"""Every certificate of a stack, and where each comes from: what :mod:`stackctl.certs.held` decides from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property

from stackctl.certs import copied
from stackctl.certs.copied import Copy
from stackctl.certs.dummy import is_dummy
from stackctl.certs.lineage import Certificate, Lineage
from stackctl.certs.local_ca import LocalCa
from stackctl.model.acme import is_second
from stackctl.model.layout import site_of_file
from stackctl.model.routing import Site
from stackctl.wording import day, listed

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


def only_imported(site: Site) -> bool:
    """Return whether no CA is asked for a site: its certificate is imported, and has no fallback."""
    return site.imported is not None and site.imported.fallback is None


def import_lack(site: Site, stored: Stored | None) -> str | None:
    """Return why ``stored`` is not the imported certificate that the Compose file names for a site, or None."""
    if site.imported is None:
        return None
    if stored is None:
        return f"its imported certificate {site_of_file(site.imported.name)} does not exist"
    missing = [name for name in site.domains if not stored.certificate.covers(name)]
    return f"its imported certificate does not cover {listed(missing)}" if missing else None


def import_fault(site: Site, stored: Stored | None, now: datetime) -> str | None:
    """Return why the imported certificate of a site does not suffice, or not for long, or None."""
    lack = import_lack(site, stored)
    if lack is not None or site.imported is None or stored is None:
        return lack
    end = stored.certificate.not_after
    if end <= now:
        return f"its imported certificate expired on {day(end)}"
    near = site.imported.fallback is not None and end - now < timedelta(days=site.imported.fallback)
    return f"its imported certificate ends on {day(end)}" if near else None


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

    def imported(self, site: Site) -> Stored | None:
        """Return the imported certificate that the Compose file names for a site; None if it does not exist."""
        stored = self.stored.get(site.imported.name) if site.imported is not None else None
        return stored if stored is not None and stored.source == Source.IMPORTED else None

    def falls_back(self, site: Site) -> bool:
        """Return whether a certificate of the stack's CA takes the place of the imported one, as the file says."""
        if site.imported is None or only_imported(site):
            return False
        return import_fault(site, self.imported(site), self.now) is not None

    def own(self, site: Site) -> Lineage | None:
        """Return the lineage that belongs to a site, usable or not.

        It is the one that the Compose file names; else one for exactly the names of the site, whatever it is called;
        else the one that is named after the site. A site of the stack's own CA has none.
        """
        if site.local:
            return None
        if site.certificate is not None or site.is_second:
            return self.lineages.get(site.lineage)
        exact = self._by_set.get(frozenset(site.domains), ())
        best = max(exact, key=lambda one: self._rank(one, site), default=None)
        return best or self.lineages.get(site.lineage)

    def name_of(self, site: Site) -> str:
        """Return the name of the lineage that belongs to a site, or will."""
        own = self.own(site)
        return site.lineage if own is None else own.name

    def sharing(self, sites: Iterable[Site]) -> Mapping[str, Sequence[Site]]:
        """Return the sites that share each lineage, by its name."""
        found: dict[str, list[Site]] = {}
        for site in sites:
            found.setdefault(self.name_of(site), []).append(site)
        return found

    def _rank(self, one: Lineage, site: Site) -> tuple[bool, bool, datetime, str]:
        certificate = one.certificate or one.repaired
        good = self.valid(self.servable(one.name)) and not one.from_staging
        return good, one.name == site.name, certificate.not_after if certificate else self.now, one.name

    @cached_property
    def _by_set(self) -> Mapping[frozenset[str], Sequence[Lineage]]:
        found: dict[frozenset[str], list[Lineage]] = {}
        for one in self.lineages.values():
            if is_second(one.name):
                continue  # it has the same names as the first one
            certificate = one.certificate or one.repaired
            found.setdefault(frozenset(certificate.names if certificate else ()), []).append(one)
        return found

    def covering(self, names: Sequence[str], *, partly: bool = False) -> Lineage | None:
        """Return the lineage that is valid, covers all of ``names`` and is valid longest.

        With ``partly`` it is the one that covers most of them, and at least one. A second certificate comes after
        others, as not every client would have chosen it. Certificates of a test CA do not count: their site is better
        served over plain HTTP.
        """
        labels = (label for name in (names if partly else names[:1]) for label in (name, f"*.{name.partition('.')[2]}"))
        best: tuple[int, bool, datetime, str] | None = None
        for one, certificate in (found for label in labels for found in self._by_name.get(label, ())):
            covered = sum(certificate.covers(name) for name in names)
            if partly or covered == len(names):
                rank = (covered, not is_second(one.name), certificate.not_after, one.name)
                best = max(best or rank, rank)
        return self.lineages[best[3]] if best else None

    def covering_import(self, names: Sequence[str]) -> str | None:
        """Return the imported certificate that is valid, covers all of ``names`` and is valid longest."""
        found = ((one.not_after, name) for name, one in self._imports.items() if all(map(one.covers, names)))
        return max(found, default=(self.now, None))[1]

    @cached_property
    def _imports(self) -> Mapping[str, Certificate]:
        """The imported certificates that are valid, by name."""
        found = ((name, one.certificate) for name, one in self.stored.items() if one.source == Source.IMPORTED)
        return {name: certificate for name, certificate in found if self.valid(certificate)}

    @cached_property
    def _by_name(self) -> Mapping[str, Sequence[tuple[Lineage, Certificate]]]:
        found: dict[str, list[tuple[Lineage, Certificate]]] = {}
        for one in self.lineages.values():
            certificate = self.servable(one.name)
            if certificate is not None and self.valid(certificate) and not one.from_staging:
                for name in certificate.names:
                    found.setdefault(name, []).append((one, certificate))
        return found
