"""The checks of ``stackctl doctor`` about streams: whether the proxy can reach what they are passed on to."""

from __future__ import annotations

from collections.abc import Iterator

from stackctl.diagnose import apps as judged_apps
from stackctl.diagnose.check import Check, skipped
from stackctl.engine.probe import apps as probe_apps
from stackctl.engine.probe.parked import parked_sites
from stackctl.model.streams import Transport
from stackctl.usecases.doctor.inputs import DoctorInputs


def stream_checks(inputs: DoctorInputs) -> Iterator[Check]:
    """Yield the streams that are parked, and the checks of the apps behind all of them."""
    context, stack, project, containers = inputs.context, inputs.stack, inputs.project, inputs.containers
    if stack is None:
        return
    reasons = parked_sites(context, stack)
    yield from (judged_apps.parked(one.name, reasons[one.name]) for one in stack.streams if one.name in reasons)
    if project is None or not containers:
        for stream in stack.streams:
            yield from skipped([judged_apps.CONTAINER], inputs.broken or "the stack is down", stream.name)
        return
    named = [(stream, project.named(stream.server)) for stream in stack.streams]
    tcp = [one.upstream for one, server in named if server.service is None and one.transport is Transport.TCP]
    answers = probe_apps.endpoints_answer(context, tcp)
    networks = probe_apps.proxy_networks(context, stack.proxy, containers) if stack.streams else None
    for stream, server in named:
        facts = probe_apps.app_facts(
            context,
            containers,
            networks,
            server.service or stream.name,  # its log is that of the service
            server,
            stream.where,
            answers=answers.get(stream.upstream),
            idle=probe_apps.idle(project, server),
        )
        for check in judged_apps.judge_app(facts):
            # A UDP port has neither a connection nor an entry in the table of listeners.
            if stream.transport is Transport.TCP or check.name not in {judged_apps.PORT, judged_apps.OUTSIDE}:
                yield check
