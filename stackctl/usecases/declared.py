"""The certificates that the Compose file names by their files: read, checked and imported by every command."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from stackctl.adapters.disk.files import host_errors
from stackctl.certs.given.pair import GivenPair, make_pair, refuse_uncovered
from stackctl.certs.given.parts import LARGEST, GivenFile, read_parts
from stackctl.engine.context import Context
from stackctl.errors import InputError, StackctlError, StackfileError
from stackctl.model.imported import CertificateFiles
from stackctl.model.stack import Stack
from stackctl.model.values import Domain
from stackctl.plan.intent import Intent
from stackctl.reading import read_regular


def with_declared(context: Context, stack: Stack, intent: Intent) -> Intent:
    """Return ``intent`` with the certificates of the sites whose files the Compose file names, or why not."""
    found: dict[str, GivenPair] = {}
    refused: dict[Domain, StackctlError] = {}
    for site in intent.focused(stack.sites):
        there = site.imported
        if there is None or there.files is None:
            continue
        try:
            pair = make_pair(read_parts(list(_files(context, there.files)), _refuse_encrypted), context.now())
            refuse_uncovered(pair, site.domains, site.name)
        except StackctlError as error:
            place = f"{error.where}: " if error.where else ""
            text = f"{site.name}: not imported: {place}{error.message}"
            refused[site.name] = StackfileError(text, where=there.where, hint=error.hint)
        else:
            found[there.name] = pair
    if not found and not refused:
        return intent
    return replace(intent, imports={**found, **intent.imports}, refused_imports=refused)


def _files(context: Context, files: CertificateFiles) -> Iterator[GivenFile]:
    for path in files.paths:
        with host_errors():
            yield GivenFile(path, read_regular(context.directory.root / path, LARGEST))


def _refuse_encrypted(name: str) -> bytes:
    raise InputError(
        "the private key is encrypted, and no command that runs by itself has its passphrase",
        where=name,
        hint="import it with 'stackctl cert import', which asks for the passphrase once",
    )
