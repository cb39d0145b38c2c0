"""The verified copies that a proxy reads: where they are, what is served of them, and when one must be made anew."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from stackctl.certs.lineage import Certificate, Lineage
from stackctl.model.layout import FULLCHAIN, PAIRS_OF_LINEAGES, PAIRS_OF_STORED, PRIVKEY, Place, site_file

_MISSING = "the proxy has no copy of it"
_DIFFERS = "the proxy has another copy of it"


@dataclass(frozen=True, slots=True)
class Pair:
    """The paths of a chain and its key inside the proxy's container."""

    chain: str
    key: str


def lineage_pair(lineage: str) -> Pair:
    """Return where the proxy finds a certbot lineage."""
    return _pair(PAIRS_OF_LINEAGES / lineage)


def stored_pair(site: str) -> Pair:
    """Return where the proxy finds the certificate that is stored for a site."""
    return _pair(PAIRS_OF_STORED / site_file(site))


def _pair(folder: Place) -> Pair:
    return Pair((folder / FULLCHAIN).mount, (folder / PRIVKEY).mount)


@dataclass(frozen=True, slots=True)
class Copy:
    """The verified copy of a certificate with its key, which a proxy reads.

    ``version`` is the id of the pair that it is a copy of.
    """

    certificate: Certificate
    version: str

    def valid(self, now: datetime) -> bool:
        """Return whether it has not expired."""
        return now < self.certificate.not_after


def servable(lineage: Lineage | None, copy: Copy | None, now: datetime) -> Certificate | None:
    """Return what a proxy can serve of a lineage: its certificate if that can be copied, else its last good copy.

    A copy that has expired does not count.
    """
    if lineage is not None and lineage.usable and _replaces(lineage, copy, now):
        return lineage.certificate
    return copy.certificate if copy is not None and copy.valid(now) else None


def copy_cause(lineage: Lineage, copy: Copy | None, now: datetime) -> str | None:
    """Return why a lineage must be copied for the proxy, or None."""
    if not lineage.usable or lineage.version is None or not _replaces(lineage, copy, now):
        return None
    return differs(lineage.version, copy)


def differs(version: str, copy: Copy | None) -> str | None:
    """Return in which way a copy differs from the pair ``version``, or None."""
    if copy is None:
        return _MISSING
    return None if copy.version == version else _DIFFERS


def _replaces(lineage: Lineage, copy: Copy | None, now: datetime) -> bool:
    """Return whether a usable lineage is at least as good as its copy; the deploy hook decides alike."""
    if copy is None or not copy.valid(now) or lineage.version in {None, copy.version}:
        return True
    return lineage.flaw is None and lineage.certificate is not None and now < lineage.certificate.not_after
