"""The user's own files, as every proxy reads them."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Mapping

from stackctl.errors import InputError
from stackctl.model.layout import Place
from stackctl.model.routing import Site


def without_marks(custom: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files without the byte order marks of editors on Windows, which no proxy skips."""
    return {name: content.removeprefix(BOM_UTF8) for name, content in custom.items()}


def cas_of(site: Site) -> list[str]:
    """Return the names of the files with root certificates that the servers of a site need, each once."""
    return list(dict.fromkeys(server.tls.ca for server in site.servers if server.tls and server.tls.ca))


def cas_in(custom: Mapping[str, bytes], site: Site, folder: Place) -> dict[str, bytes]:
    """Return those files by their names; ``folder`` is where the user puts them.

    Raises:
        InputError: one does not exist.
    """
    for name in cas_of(site):
        if name not in custom:
            raise InputError(
                f"{site.name}: there is no {(folder / name).path}",
                where=site.where,
                hint="put the PEM file there, or correct 'ca' in 'upstream-tls'",
            )
    return {name: custom[name] for name in cas_of(site)}
