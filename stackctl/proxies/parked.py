"""The notes in a generation that say why a site was taken out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from stackctl.model.values import Domain
from stackctl.proxies.proxy import Files

PARKED = ".parked"
"""The end of the name of such a file, which no proxy reads."""


def reasons_in(files: Files, site_of: Callable[[str], Domain | None]) -> Mapping[Domain, str]:
    """Return the content of each note; ``site_of`` tells whose file a path is."""
    notes = ((site_of(path), body) for path, body in files.items() if path.endswith(PARKED))
    return {site: body.decode("utf-8", "replace").strip() for site, body in notes if site is not None}
