"""Writes the Compose service of a new app."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from stackctl.engine.context import Context
from stackctl.errors import InputError
from stackctl.model import service_values
from stackctl.stackfile import edit
from stackctl.stackfile.document import Document


def fetch(context: Context, image: str) -> None:
    """Pull ``image`` unless it is available locally."""
    if context.images.image_id(image) is None:
        context.report.note(f"pulling {image}")
        context.images.pull(image)


def env_file_path(context: Context, path: Path | None) -> str | None:
    """Return the path of an environment file as the Compose file names it.

    Raises:
        InputError: it does not exist.
    """
    if path is None:
        return None
    absolute = path.resolve()
    if not absolute.is_file():
        raise InputError(f"file {path} does not exist", field="env_file")
    if not absolute.is_relative_to(context.directory.root.resolve()):
        return str(absolute)
    shown = os.path.relpath(absolute, context.directory.files.project.resolve())
    return shown if shown.startswith("../") else f"./{shown}"


def with_volumes(doc: Document, mounts: Sequence[str]) -> Document:
    """Return ``doc`` with the named volumes of ``mounts`` at its top level."""
    named = dict.fromkeys(name for mount in mounts if (name := service_values.mount(mount)[1]))
    for name in named:
        if doc.entry(("volumes", name)) is None:
            doc = edit.add_entry(doc, ("volumes",), f"{name}:\n")
    return doc


def refuse_unwritten(doc: Document, service: str, key: str, wanted: Sequence[str]) -> None:
    """Refuse an option for a service whose lines do not say the same.

    Raises:
        InputError: with the line of the service's own.
    """
    found = doc.data(("services", service, key)) or ()
    written = {f"{name}={value}" for name, value in found.items()} if isinstance(found, dict) else set(map(str, found))
    missing = [one for one in wanted if one.replace("$", "$$") not in written]
    if missing:
        raise InputError(
            f"the service {service} already exists, and not with {missing[0]}",
            where=doc.where_of(("services", service, key)),
            hint="edit it there and run 'stackctl up'",
        )
