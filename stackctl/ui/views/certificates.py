"""The rows of the page Certificates: expiring first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf

from stackctl.certs.shelf import Source
from stackctl.model.layout import site_of_file
from stackctl.ui.views.words import Badge, Tone, certificate_badge
from stackctl.usecases.cert_looks import CertificateRow

_SOURCES = {
    Source.ACME: "From the CA, renewed by itself",
    Source.IMPORTED: "Imported: bring a newer one in time",
    Source.DUMMY: "A placeholder, which no browser trusts",
}
_SERVED = {
    None: Badge(Tone.QUIET, "Not to be served"),
    True: Badge(Tone.OK, "On the wire"),
    False: Badge(Tone.WARN, "Another one is on the wire"),
}


@dataclass(frozen=True, slots=True)
class CertificateLine:
    """A certificate as a row.

    Attributes:
        others: its further names.
        renews: the site whose certificate can be requested now, if there is one.
        unused: whether it can be deleted.
        imported: whether it can be removed, and its sites get one of the CA.
    """

    name: str
    others: tuple[str, ...]
    state: Badge
    until: datetime | None
    issuer: str | None
    source: str
    used_by: tuple[str, ...]
    served: Badge
    paths: tuple[str, ...]
    renews: str | None
    unused: bool
    imported: bool


def lines(rows: Iterable[CertificateRow]) -> list[CertificateLine]:
    """Return a row for each certificate, the one that expires first at the top."""
    ordered = sorted(
        rows, key=lambda row: (-inf if row.problem else inf if row.days_left is None else row.days_left, row.name)
    )
    return [_line(row) for row in ordered]


def _line(row: CertificateRow) -> CertificateLine:
    is_acme = row.source == Source.ACME
    return CertificateLine(
        name=site_of_file(row.name),
        others=tuple(name for name in row.names if name != site_of_file(row.name)),
        state=certificate_badge(row.problem, row.days_left, with_problem=Tone.BAD),
        until=row.not_after,
        issuer=row.issuer,
        source=_SOURCES.get(Source(row.source), row.source) if row.source in set(Source) else row.source,
        used_by=row.used_by,
        served=_SERVED[row.served],
        paths=row.paths,
        renews=row.used_by[0] if is_acme and row.used_by else None,
        unused=is_acme and not row.used_by,
        imported=row.source == Source.IMPORTED,
    )


@dataclass(frozen=True, slots=True)
class Order:
    """An order at the CA, from the ledger."""

    at: datetime
    names: tuple[str, ...]
    issued: bool


def latest(orders: Sequence[Order], most: int = 10) -> list[Order]:
    """Return the newest orders, the newest first."""
    return sorted(orders, key=lambda order: order.at, reverse=True)[:most]
