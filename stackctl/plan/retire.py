"""Delete a lineage that no site uses, so that certbot's loop stops renewing it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from stackctl.certs.held import Held, held
from stackctl.certs.lineage import Lineage
from stackctl.certs.shelf import Shelf
from stackctl.model.layout import site_of_file
from stackctl.model.routing import Site
from stackctl.plan.operation import Operation


@dataclass(frozen=True, slots=True, kw_only=True)
class RetireLineage(Operation):
    """Delete a lineage with its keys, its renewal file and its copy."""

    held: Held

    @property
    def text(self) -> str:
        """A short description of what it does."""
        return f"delete the certificate {site_of_file(str(self.held.lineage))} from certbot's tree"


def users_of(lineage: str, shelf: Shelf, sites: Collection[Site]) -> list[Site]:
    """Return the sites that need a lineage: as their own, by ``certificate``, or because they are served with it."""
    return [site for site in sites if lineage in {site.certificate, *held(site, shelf).lineages}]


def unused_lineages(shelf: Shelf, sites: Collection[Site]) -> list[Lineage]:
    """Return the lineages of certbot's tree that no site needs; the loop goes on renewing them."""
    used = {name for site in sites for name in (site.certificate, *held(site, shelf).lineages)}
    return [one for name, one in sorted(shelf.lineages.items()) if name not in used and not one.gone]
