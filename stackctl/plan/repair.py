"""Mend lineages of certbot's tree before anything else: it needs neither a CA nor DNS."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from stackctl.certs.held import held
from stackctl.certs.shelf import Shelf
from stackctl.model.layout import site_of_file
from stackctl.model.routing import Site
from stackctl.plan.operation import Operation


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairLineage(Operation):
    """Restore links, files and the renewal file of a lineage from what certbot's tree has."""

    lineage: str

    @property
    def text(self) -> str:
        """A short description of what it does."""
        return f"repair the certificate {site_of_file(self.lineage)} in certbot's tree"


def repairs(shelf: Shelf, sites: Collection[Site]) -> tuple[Shelf, list[RepairLineage]]:
    """Return what mends the lineages of ``sites``, and the certificates that there are after it."""
    after = replace(shelf, lineages={name: one.mended for name, one in shelf.lineages.items()})
    users: dict[str, list[Site]] = {}
    for site in sites:
        for name in held(site, after).lineages:
            if name in shelf.lineages and shelf.lineages[name].repair is not None:
                users.setdefault(name, []).append(site)
    found = [
        RepairLineage(
            lineage=name,
            cause=shelf.lineages[name].repair or "",
            scope=users[name][0].name,
            sharing=tuple(site.name for site in users[name][1:]),
            batch="repairs",
        )
        for name in sorted(users)
    ]
    lineages = {name: one.mended if name in users else one for name, one in shelf.lineages.items()}
    return replace(shelf, lineages=lineages), found
