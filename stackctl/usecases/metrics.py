"""``stackctl metrics``: returns the state of the stack as metrics, in the text format of Prometheus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from stackctl.certs.watch import exposition as families
from stackctl.certs.watch.exposition import Sample, exposition
from stackctl.certs.watch.measure import measured
from stackctl.certs.watch_files import watch_settings
from stackctl.engine.context import Context
from stackctl.engine.probe.apps import endpoints_answer
from stackctl.engine.probe.health import of_server, servers_health
from stackctl.engine.probe.watch_state import receivers_failing
from stackctl.engine.probe.watched import watched
from stackctl.engine.probe.workers import old_workers
from stackctl.model.acme import LETSENCRYPT, LETSENCRYPT_STAGING
from stackctl.model.stack import Stack
from stackctl.observed.containers import Deployment
from stackctl.usecases.conditions import condition, is_up, with_answers
from stackctl.usecases.converge import load_current
from stackctl.usecases.renamed import refuse_renamed
from stackctl.usecases.responses import responses
from stackctl.usecases.result import Result

_CAS = {LETSENCRYPT: "letsencrypt", LETSENCRYPT_STAGING: "letsencrypt-staging"}


@dataclass(frozen=True, slots=True)
class MetricsReport:
    """The metrics as text; ``CONTENT_TYPE`` in :mod:`stackctl.certs.watch.exposition` is its media type."""

    text: str


def metrics(context: Context) -> Result[MetricsReport]:
    """Return what the renewal loop writes to its file, and what only the host sees."""
    loaded = load_current(context)
    stack = loaded.stack
    containers = context.orchestrator.containers(loaded.project.name)
    refuse_renamed(context, loaded.project, stack, containers)
    facts = watched(context, stack, containers)
    samples = [
        *measured(watch_settings(stack, loaded.project.name), facts),
        *_upstreams(context, stack, containers),
        *_orders(context, stack, facts.now),
        *_changes(context),
        *(Sample(families.RESPONSES, number, labels) for labels, number in responses(context, stack).items()),
        Sample(families.ALERTS_FAILING, len(receivers_failing(context))),
    ]
    old = old_workers(context, stack, containers)
    samples.append(Sample(families.OLD_WORKERS, old.workers if old else 0))
    return Result("metrics", MetricsReport(exposition(loaded.project.name, samples)))


def _upstreams(context: Context, stack: Stack, containers: Deployment) -> Iterator[Sample]:
    pairs = [(site, server) for site in stack.sites for server in site.servers]
    answers = endpoints_answer(context, (server.endpoint for _, server in pairs if server.service is None))
    asked = servers_health(context, stack, containers)
    for site, server in pairs:
        there = with_answers(condition(server, containers, answers), of_server(asked, site.name, server))
        yield Sample(families.UPSTREAM_UP, int(is_up(there)), (str(site.name), str(server.upstream)))


def _orders(context: Context, stack: Stack, now: datetime) -> Iterator[Sample]:
    ledger = context.directory.ledger()
    for ca in dict.fromkeys([*([] if stack.acme.local else [stack.acme.directory]), *stack.other_cas]):
        name = _CAS.get(ca, ca)
        left = ledger.free_orders(ca, now)
        if left is not None:
            yield Sample(families.ORDERS_LEFT, left, (name,))
        own = Counter("issued" if entry.issued else "failed" for entry in ledger.entries if entry.directory == ca)
        for result in ("issued", "failed"):
            yield Sample(families.ATTEMPTS, own[result], (name, result))


def _changes(context: Context) -> Iterator[Sample]:
    kinds = Counter(entry.kind for entry in context.directory.history.entries())
    for kind in ("change", "failed"):
        yield Sample(families.CHANGES, kinds[kind], (kind,))
