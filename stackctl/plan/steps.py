"""The steps of rollouts: each step of all services together, so that they share the reloads of the proxy."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import TypedDict

from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.model.values import Domain, ServiceName
from stackctl.observed.containers import Container, Deployment
from stackctl.observed.state import Observed
from stackctl.plan.deploy import (
    AwaitNew,
    Drain,
    PinService,
    ReplaceService,
    RetireContainers,
    RunBefore,
    StartBeside,
    SwitchService,
    UnpinServices,
)
from stackctl.plan.files import ProxyFiles
from stackctl.plan.intent import Intent
from stackctl.plan.operation import Operation
from stackctl.plan.operations import StageFiles
from stackctl.plan.pins import wrong_pins
from stackctl.plan.rollout import Rollout, Wave, dependents, rollouts
from stackctl.plan.services import pull_image, start_services
from stackctl.proxies.proxy import Pins


def run_services(  # noqa: PLR0913  (the services, and what decides about each)
    stack: Stack,
    sites: Collection[Site],
    intent: Intent,
    observed: Observed,
    files: ProxyFiles,
    pins: Pins,
    changes: Collection[Operation],
) -> Iterator[Operation]:
    """Start what does not run as defined, and deploy what serves requests.

    ``files`` are those of the proxy, ``changes`` what stages and publishes those that differ.
    """
    rerouted = files.rerouted(sites)
    named = {name: None for site in sites for name in site.services if name not in intent.stop}
    wanted = [name for name in named if intent.services is None or name in intent.services]
    rolled = rollouts(stack, wanted, observed, pins, files, rerouted)
    names = {one.service.name for one in rolled}
    late = dependents(observed.project, names) if names else frozenset[str]()
    left = names if intent.services is None else names | (named.keys() - intent.services)

    def started(batch: str, *, are_late: bool) -> Iterator[Operation]:
        return start_services(
            stack,
            sites,
            intent.stop,
            everything=intent.focus is None,
            observed=observed,
            rerouted=rerouted,
            among=lambda name: name not in left and (name in late) is are_late,
            batch=batch,
        )

    # To start a service, Compose also replaces those that it depends on.
    yield from started("services", are_late=False)
    yield from _deploy(rolled, observed, [one for one in changes if isinstance(one, StageFiles)])
    yield from _unpin(stack, rolled, pins, sites, observed.containers)
    if late:
        yield from started("late services", are_late=True)


def _deploy(rolled: Sequence[Rollout], observed: Observed, staged: Sequence[StageFiles]) -> Iterator[Operation]:
    """Yield the steps of all rollouts.

    ``staged`` are the files that change: they go live with the first switch of a service that has another port.
    """
    for one in rolled:
        scope, sharing = _scope(one), _names(one)
        yield from (replace(pull, sharing=sharing) for pull in pull_image(observed, one.service.name, scope))
    for one in rolled:
        if one.settings.before and len(one.new) < one.service.replicas and not one.scaled:
            yield RunBefore(command=one.settings.before, joins=one.joins, cause=one.cause, **_step(one))
    yield from _join([one for one in rolled if one.joins])
    gentle = [one for one in rolled if not one.has_gap and not one.joins]
    yield from _begin(gentle)
    for number in range(max((len(one.waves) for one in gentle), default=0)):
        waves = [(one, one.waves[number]) for one in gentle if number < len(one.waves)]
        beside = [(one, wave) for one, wave in waves if one.reason is None]
        yield from _start(beside, f"{number}")
        yield from _leave(beside, f"{number}", staged)
        in_place = [(one, wave) for one, wave in waves if one.reason is not None]
        yield from _leave(in_place, f"{number} stop-first", staged)
        yield from _start(in_place, f"{number} stop-first")
    for one in rolled:
        if one.has_gap:
            yield ReplaceService(
                old=_ids(one.old), ports=one.ports, settings=one.settings, cause=_cause(one), **_step(one)
            )


def _join(rolled: Sequence[Rollout]) -> Iterator[Operation]:
    """Yield the steps of canaries that no client gets yet: the files by which they do go live afterwards."""
    yield from _ended(rolled)
    for one in rolled:
        starts = one.service.replicas - len(one.new)
        if starts > 0:
            yield StartBeside(
                old=(), count=one.service.replicas, starts=starts, joins=True, cause=one.cause, **_step(one)
            )
    for one in rolled:
        yield _await(one, "ready canary")


def _ended(rolled: Sequence[Rollout]) -> Iterator[Operation]:
    for one in rolled:
        if one.ended:
            ids, labels = _ids(one.ended), _labels(one.ended)
            yield RetireContainers(ids=ids, labels=labels, cause="it does not run", batch="ended", **_step(one))


def _begin(rolled: Sequence[Rollout]) -> Iterator[Operation]:
    yield from _ended(rolled)
    for one in rolled:
        if not one.switched and one.waves and (one.waves[0].starts or not one.scaled):
            ids, labels = _ids(one.serving), _labels(one.serving)
            yield PinService(ids=ids, labels=labels, cause=_cause(one), batch="pin", **_before(one), **_step(one))


def _start(waves: Sequence[tuple[Rollout, Wave]], kind: str) -> Iterator[Operation]:
    for one, wave in waves:
        if wave.starts:
            yield StartBeside(old=_ids(one.old), count=wave.count, starts=wave.starts, cause=_cause(one), **_step(one))
    for one, wave in waves:
        if one.scaled and wave.leaving:
            continue  # those that stay serve already
        yield _await(one, f"ready {kind}")


def _await(one: Rollout, batch: str) -> AwaitNew:
    return AwaitNew(
        old=_ids(one.old),
        ports=one.ports,
        settings=one.settings,
        joins=one.joins,
        cause="only then they get requests",
        batch=batch,
        **_step(one),
    )


def _leave(waves: Sequence[tuple[Rollout, Wave]], kind: str, staged: Sequence[StageFiles]) -> Iterator[Operation]:
    for one, wave in waves:
        if one.scaled and not wave.leaving:
            continue  # the name leads to all of them next
        yield SwitchService(
            leaving=_ids(wave.gone),
            labels=_labels(wave.leaving),
            first=tuple(staged) if one.moved else (),
            cause=_cause(one),
            batch=f"switch {kind}",
            **_before(one),
            **_step(one),
        )
    for one, wave in waves:
        if wave.leaving:
            cause = "its old containers are stopped next"
            left, most = _ids(wave.leaving), one.settings.drain
            yield Drain(leaving=left, seconds=most, cause=cause, batch=f"drain {kind}", **_step(one))
    for one, wave in waves:
        if wave.leaving:
            ids, labels = _ids(wave.leaving), _labels(wave.leaving)
            yield RetireContainers(ids=ids, labels=labels, cause=_cause(one), batch=f"retire {kind}", **_step(one))


def _unpin(
    stack: Stack, rolled: Sequence[Rollout], pins: Pins, sites: Collection[Site], containers: Deployment
) -> Iterator[UnpinServices]:
    """Yield what ends every pin: those of ``rolled``, and those that an interrupted deploy left behind.

    Those of other sites stay, unless they are wrong by now: a reload would send requests to other containers.
    """
    left = {name for site in sites for name in site.services if stack.hosts_of(name) & pins.keys()}
    names = {one.service.name for one in rolled if not one.has_gap and not one.joins} | left
    names |= wrong_pins(stack, pins, containers)
    if names:
        cause = "the deploy ends" if rolled else "a deploy was interrupted"
        yield UnpinServices(services=tuple(sorted(names)), cause=cause)


class _Before(TypedDict):
    old: tuple[str, ...]
    ports_before: tuple[tuple[int, int], ...]


def _before(one: Rollout) -> _Before:
    return {"old": _ids(one.old), "ports_before": tuple((one.ports_before or {}).items())}


class _Step(TypedDict):
    service: ServiceName
    scope: str
    sharing: tuple[Domain, ...]


def _step(one: Rollout) -> _Step:
    return {"service": one.service.name, "scope": _scope(one), "sharing": _names(one)}


def _scope(one: Rollout) -> str:
    return f"service:{one.service.name}"


def _names(one: Rollout) -> tuple[Domain, ...]:
    return tuple(site.name for site in one.sites)


def _cause(one: Rollout) -> str:
    return one.cause if one.reason is None else f"{one.cause}; it stops first: {one.reason}"


def _ids(containers: Sequence[Container]) -> tuple[str, ...]:
    return tuple(container.id for container in containers)


def _labels(containers: Sequence[Container]) -> tuple[str, ...]:
    return tuple(container.label for container in containers)
