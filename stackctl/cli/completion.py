"""Completes domains, services and history numbers in the shell, from the files on disk.

Completion never contacts the engine and never raises: what cannot be read has no completions.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import typer


def domains(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the names of all sites that begin with ``incomplete``."""
    return _beginning(incomplete, lambda: _domains(_directory(ctx)))


def places(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the names of all sites, and each NAME/PATH that has an app of its own."""
    return _beginning(incomplete, lambda: _domains(_directory(ctx), paths=True))


def services(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the services of the Compose files."""
    return _beginning(incomplete, lambda: (name for file in _files(_directory(ctx)) for name in file["services"]))


def streams(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the ports and the names of all streams."""
    return _beginning(incomplete, lambda: _streams(_directory(ctx)))


def numbers(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the numbers of the history entries, newest first."""
    return _beginning(incomplete, lambda: _numbers(_directory(ctx)))


def lineages(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the names of certbot's certificates, by their renewal files."""
    return _beginning(incomplete, lambda: _lineages(_directory(ctx)))


def certificates(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the names of all certificates: certbot's, and those that are stored."""
    return _beginning(incomplete, lambda: _certificates(_directory(ctx)))


def zones(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the zones in which names are proved by DNS-01."""
    return _beginning(incomplete, lambda: _zones(_directory(ctx)))


def _beginning(incomplete: str, find: Callable[[], Iterator[str]]) -> list[str]:
    with suppress(Exception):  # no traceback at the user's prompt for a half-written file
        return list(dict.fromkeys(name for name in find() if name.startswith(incomplete)))
    return []


def _directory(ctx: typer.Context) -> Path:
    """Return the directory that the command line selects; the command's option precedes the program's."""
    here: typer.Context | Any = ctx
    while here is not None:
        directory = here.params.get("directory")
        if directory is not None and Path(directory) != Path():
            return Path(directory)
        here = here.parent
    return Path()


def _files(directory: Path) -> Iterator[dict[str, Any]]:
    from stackctl.reading import read_regular
    from stackctl.stackfile.document import Document
    from stackctl.stackfile.locate import locate

    files = locate(directory.absolute(), os.environ)
    for path in (files.main, *files.others):
        doc = Document.parse(read_regular(path).decode("utf-8"), path.name)
        lists = {key: doc.data(("x-stackctl", key)) or [] for key in ("apps", "redirects", "streams")}
        yield {"services": doc.data(("services",)) or {}, "dns": doc.data(("x-stackctl", "dns")) or {}, **lists}


def _domains(directory: Path, *, paths: bool = False) -> Iterator[str]:
    for file in _files(directory):
        routed = [service.get("x-stackctl") for service in file["services"].values() if isinstance(service, dict)]
        for keys in (*routed, *file["apps"], *file["redirects"]):
            if isinstance(keys, dict):
                names = _texts(keys.get("domains") or keys.get("from"))
                yield from names
                if paths:
                    yield from (f"{name}{path}" for name in names for path in _texts(keys.get("path")) if path != "/")


def _texts(written: Any) -> list[str]:  # noqa: ANN401  (YAML holds anything)
    return list(map(str, [written] if isinstance(written, str) else written or ()))


def _zones(directory: Path) -> Iterator[str]:
    for file in _files(directory):
        yield from map(str, file["dns"])


def _streams(directory: Path) -> Iterator[str]:
    for file in _files(directory):
        yield from (str(keys.get("listen") or keys.get("sni")) for keys in file["streams"])


def _numbers(directory: Path) -> Iterator[str]:
    from stackctl.model.layout import HISTORY

    found = (int(path.name) for path in (directory / HISTORY).iterdir() if path.name.isdigit())
    yield from map(str, sorted(found, reverse=True))


def _lineages(directory: Path) -> Iterator[str]:
    from stackctl.model.layout import CERTBOT_CONF, RENEWALS

    return (path.stem for path in sorted((directory / CERTBOT_CONF.path / RENEWALS).glob("*.conf")))


def _certificates(directory: Path) -> Iterator[str]:
    from stackctl.model.layout import CERTS

    yield from _lineages(directory)
    yield from (path.name for path in sorted((directory / CERTS).iterdir()) if path.is_dir())
