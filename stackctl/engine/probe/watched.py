"""Collect on the host what the certbot container sees of a stack: the facts of :mod:`stackctl.certs.watch.look`."""

from __future__ import annotations

from collections.abc import Iterator

from stackctl.certs.lineage import Certificate
from stackctl.certs.shelf import Shelf
from stackctl.certs.watch.look import ACME, Copy, Facts, Leaf
from stackctl.diagnose.loop import LoopFacts
from stackctl.engine.context import Context
from stackctl.engine.probe.loop import loop
from stackctl.engine.probe.parked import parked_sites
from stackctl.model.layout import site_of_file
from stackctl.model.stack import Stack
from stackctl.observed.containers import Deployment


def watched(context: Context, stack: Stack, containers: Deployment) -> Facts:
    """Return the facts, as of now; certificates are compared by their fingerprints."""
    now, https = context.now(), stack.proxy.https
    names = [site.name for site in stack.sites]
    shelf = context.directory.shelf(names, now)
    runs = containers.is_running(stack.proxy.service)
    served = context.wire.offered(https.at, names) if https and names and runs else {}
    proxy = context.proxy_of(stack)
    renewals = loop(context, stack, containers)
    return Facts(
        now=now,
        copies=tuple(_copies(shelf)),
        reached=runs if https else None,
        served={str(name): None if one is None else _leaf(one) for name, one in served.items()},
        live=context.delivery(proxy.layout).published() or "",
        answers=(context.wire.generation(stack.proxy.http.at) if runs else None) or "",
        parked={str(name): reason for name, reason in parked_sites(context, stack).items()},
        checked=_seconds(renewals, "checked"),
        succeeded=_seconds(renewals, "succeeded"),
        failed=renewals.failing,
        refused={},
    )


def _copies(shelf: Shelf) -> Iterator[Copy]:
    for name in shelf.lineages:
        certificate = shelf.servable(name)
        if certificate is not None:
            yield Copy(site_of_file(name), ACME, _leaf(certificate))
    for name, one in shelf.stored.items():
        yield Copy(name, str(one.source), _leaf(one.certificate))


def _leaf(one: Certificate) -> Leaf:
    return Leaf(one.fingerprint.encode(), one.not_before, one.not_after, one.issuer)


def _seconds(facts: LoopFacts, stamp: str) -> str:
    at = facts.believed(facts.checked if stamp == "checked" else facts.succeeded)
    return "" if at is None else str(int(at.timestamp()))
