"""``stackctl trust`` and ``untrust``: let this host, its browsers and containers trust the stack's own CA."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from stackctl.adapters.trust_stores import FAILED, REMOVED, Root, StoreState, TrustStores, other_systems
from stackctl.certs.local_ca import NEW_ROOT, LocalCa
from stackctl.engine.context import Context
from stackctl.errors import InputError
from stackctl.model.layout import LOCAL_ROOT
from stackctl.plan.intent import Intent
from stackctl.stackfile.trusting import trusting, without_trust
from stackctl.usecases.converge import converge, load, open_document
from stackctl.usecases.result import Result


@dataclass(frozen=True, slots=True)
class TrustReport:
    """The root of the stack's own CA, and the state of each store; the root is None where it is lost.

    Attributes:
        root: its path.
        fingerprint: SHA-256 of the certificate, hexadecimal.
        certificate: the certificate as PEM.
        stores: what each store holds now; empty if none was looked at.
        other: commands for stores that cannot be changed from here.
    """

    root: str | None
    fingerprint: str | None
    not_after: datetime | None
    certificate: str | None
    stores: tuple[StoreState, ...] = ()
    other: tuple[str, ...] = ()


def print_root(context: Context) -> Result[TrustReport]:
    """Return the root certificate.

    Raises:
        InputError: there is none.
    """
    return Result("trust", _report(_required(context)))


def trust(context: Context, stores: TrustStores, *, dry_run: bool = False) -> Result[TrustReport]:
    """Make the system and the browsers of this user trust the root; an earlier root of the stack is removed there.

    Raises:
        InputError: there is none.
    """
    ca = _required(context)
    root = _root(context, ca)
    before = stores.look(root)
    return _result(context, "trust", ca, (before, before if dry_run else stores.add(root)), dry_run=dry_run)


def untrust(context: Context, stores: TrustStores, *, dry_run: bool = False) -> Result[TrustReport]:
    """Remove the roots of the stack from all of these stores."""
    ca = context.directory.local_ca(context.now())
    root = _root(context, ca)
    before = stores.look(root)
    return _result(context, "untrust", ca, (before, before if dry_run else stores.remove(root)), dry_run=dry_run)


def _result(
    context: Context, command: str, ca: LocalCa | None, states: Sequence[Sequence[StoreState]], *, dry_run: bool
) -> Result[TrustReport]:
    before, after = states
    other = other_systems(context.directory.root / LOCAL_ROOT.path, remove=command == "untrust")
    report = replace(_report(ca), stores=tuple(after), other=tuple(other))
    acted = any(one.state == REMOVED or one.state != old.state for one, old in zip(after, before, strict=True))
    notes = tuple(f"{one.store}: {one.todo}" for one in after if one.state == FAILED)
    return Result(command, report, dry_run=dry_run, acted=acted and not dry_run, notes=notes)


def _required(context: Context) -> LocalCa:
    ca = context.directory.local_ca(context.now())
    if ca is None or not ca.root:
        hint = f"{ca.problem}: {NEW_ROOT}" if ca and ca.problem else "make one with 'stackctl init --local'"
        raise InputError("this stack has no local CA whose root could be trusted", hint=hint)
    return ca


def _root(context: Context, ca: LocalCa | None) -> Root:
    """Return the root as stores hold it: its label is that of the stack, so a new root takes the old one's place."""
    digest = hashlib.sha256(os.fsencode(context.directory.root.resolve())).hexdigest()
    return Root(f"stackctl-{digest[:8]}", ca.root if ca else b"", context.directory.root / LOCAL_ROOT.path)


def _report(ca: LocalCa | None) -> TrustReport:
    if ca is None or not ca.root:
        return TrustReport(None, None, None, None)
    return TrustReport(LOCAL_ROOT.path, ca.fingerprint, ca.not_after, ca.root.decode("ascii", "replace"))


def trust_in(
    context: Context, services: Sequence[str], *, remove: bool = False, dry_run: bool = False
) -> Result[TrustReport]:
    """Mount the roots that this host trusts, and that of the stack, into services, or take that back; then as ``up``.

    Raises:
        InputError: there is no such service in the file, or no local CA.
    """
    ca = context.directory.local_ca(context.now()) if remove else _required(context)
    doc = open_document(context)
    edited = doc
    for service in services:
        if doc.entry(("services", service)) is None:
            raise InputError(f"{doc.name} has no service {service}", field="service")
        edited = without_trust(edited, service) if remove else trusting(edited, service, context.directory.base)
    loaded = load(context, edited, doc.text)
    command = "untrust" if remove else "trust"
    return converge(context, command, loaded, Intent(), dry_run=dry_run).carrying(_report(ca))
