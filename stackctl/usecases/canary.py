"""``stackctl deploy --canary``, ``promote`` and ``abort``: a newer version of a service, for a share of its clients."""

from __future__ import annotations

from dataclasses import replace

from stackctl.engine.context import Context
from stackctl.errors import InputError, StackfileError
from stackctl.model.backends import Backend
from stackctl.model.deploying import CANARY_ROLE, DeploySettings, base_of, canary_of
from stackctl.model.project import Service
from stackctl.model.values import ServiceName
from stackctl.plan.intent import Intent
from stackctl.plan.rollout import stop_reason
from stackctl.stackfile.canaries import Share, with_canary, without_canary
from stackctl.stackfile.document import Document
from stackctl.stackfile.locate import others_with
from stackctl.stackfile.scalars import set_text
from stackctl.usecases.converge import Loaded, converge, load, load_current, services_elsewhere
from stackctl.usecases.deploy import DeployOptions, pull, rolling, services_of, with_image, with_options
from stackctl.usecases.result import Result

_WRITTEN = {"extends", "image", "labels"}
"""The keys of a canary that stackctl writes."""


def start_canary(
    context: Context, name: str, share: Share, options: DeployOptions, *, dry_run: bool = False
) -> Result[None]:
    """Run ``options.image`` beside a service, and let it have a share of the clients; nothing of the service changes.

    A canary that does not get ready is taken away, and the Compose file is as before.

    Raises:
        InputError: the service cannot have a canary, or has one; nothing was changed.
        StackfileError: the Compose file cannot be edited; nothing was changed.
        EngineError: the image is not available; nothing was changed.
    """
    if options.image is None:
        raise InputError("a canary needs the newer image", hint="name it as NAME:TAG", field="image")
    loaded = load_current(context)
    service = _service(loaded, name)
    _refuse_impossible(context, loaded, service, options.image)
    doc = with_canary(loaded.doc, loaded.values, service.name, options.image, share)
    canary = canary_of(service.name)
    after = _loaded(context, loaded, doc)
    if canary not in after.project.services:
        raise InputError(f"the profile of {service.name} is not active", hint="choose it with COMPOSE_PROFILES")
    if not dry_run:
        pull(context, after, canary, needed=True)
    after = with_options(after, (canary,), options)
    return converge(context, "deploy", after, _intent(after, service.name, canary), dry_run=dry_run)


def promote(context: Context, name: str, options: DeployOptions, *, dry_run: bool = False) -> Result[None]:
    """Deploy the image of a service's canary to the service, then end the canary.

    If the new containers do not get ready, the canary goes on, and the Compose file is as before.

    Raises:
        InputError: the service has no canary; nothing was changed.
        StackfileError: the Compose file cannot be edited; nothing was changed.
    """
    loaded = load_current(context)
    service = _with_canary(loaded, name)
    canary = canary_of(service)
    _refuse_more(loaded, service, canary)
    image = loaded.doc.data(("services", canary, "image"))
    if not isinstance(image, str):
        raise StackfileError(f"{canary} has no image", where=loaded.doc.where_of(("services", canary)))
    wanted = loaded.project.services[canary].image
    after = with_image(context, loaded, service, without_canary(loaded.doc, loaded.values, service), image, wanted)
    after = with_options(after, (service,), options)
    return converge(context, "promote", after, _intent(after, service, service), dry_run=dry_run)


def abort(context: Context, name: str, options: DeployOptions, *, dry_run: bool = False) -> Result[None]:
    """End the canary of a service: all requests go to the service as it is.

    Raises:
        InputError: the service has no canary; nothing was changed.
        StackfileError: the Compose file cannot be edited; nothing was changed.
    """
    loaded = load_current(context)
    service = _with_canary(loaded, name)
    after = load(context, without_canary(loaded.doc, loaded.values, service), loaded.before)
    after = with_options(after, (service,), options)
    return converge(context, "abort", after, _intent(after, service), dry_run=dry_run)


def _refuse_more(loaded: Loaded, service: ServiceName, canary: ServiceName) -> None:
    """Refuse to promote a canary that was given more than an image: that would be lost with it."""
    more = [key for key in loaded.doc.own_keys(("services", canary)) if key.value not in _WRITTEN]
    if more:
        raise InputError(
            f"{canary} has {more[0].value} of its own, which 'promote' would not give {service}",
            where=loaded.doc.where(more[0]),
            hint=f"move it to {service}, or end the canary with 'stackctl abort {service}'",
        )


def _intent(loaded: Loaded, service: ServiceName, *deployed: ServiceName) -> Intent:
    """Return the intent of a deploy that changes nothing if it fails."""
    return replace(rolling(loaded.stack, (service,), deployed), or_back=True)


def _service(loaded: Loaded, name: str) -> Service:
    """Return the one service that ``name`` stands for, canaries left out.

    Raises:
        InputError: it stands for none, or for several.
    """
    found = [loaded.project.services.get(one) for one in services_of(loaded.stack, name)]
    services = [one for one in found if one is not None and one.role != CANARY_ROLE]
    if len(services) == 1:
        return services[0]
    if found and not services:
        known = [one for one in found if one is not None]
        if known:
            raise InputError(f"{name} is a canary itself", hint=f"deploy it by its name: 'stackctl deploy {name}'")
        raise InputError(f"the profile of {name} is not active", hint="choose it with COMPOSE_PROFILES")
    raise InputError(
        f"{name} has several services: {', '.join(one.name for one in services)}",
        hint="name the service instead of the site",
    )


def _with_canary(loaded: Loaded, name: str) -> ServiceName:
    """Return the service that ``name`` stands for and that has a canary of stackctl's.

    Raises:
        InputError: there is none.
    """
    named = loaded.project.services.get(name)
    service = base_of(name) if named is not None and named.role == CANARY_ROLE else _service(loaded, name).name
    canary = loaded.project.services.get(canary_of(service))
    if canary is not None and canary.role == CANARY_ROLE:
        return service
    own = [route.action for site in loaded.stack.sites for route, server in site.routed if server.service == service]
    by_hand = next((one.canary for one in own if isinstance(one, Backend) and one.canary is not None), None)
    if by_hand is not None:
        raise InputError(
            f"the canary of {service} is {by_hand.server.service}, which stackctl did not write",
            where=by_hand.server.where,
            hint=f"give {service} its image, then remove the key 'canary' and run 'stackctl up'",
        )
    raise InputError(
        f"{service} has no canary", hint=f"begin with 'stackctl deploy {service} --image NAME:TAG --canary 10%'"
    )


def _loaded(context: Context, loaded: Loaded, doc: Document) -> Loaded:
    """Load ``doc``; the lines that an error names were never written.

    Raises:
        InputError: the file would not be valid with a canary.
    """
    try:
        return load(context, doc, loaded.before)
    except StackfileError as error:
        raise InputError(f"the file would not be valid with this canary: {error.message}", hint=error.hint) from error


def _refuse_impossible(context: Context, loaded: Loaded, service: Service, image: str) -> None:
    """Refuse a canary of a service that cannot run twice, or that could not be promoted."""
    doc, name, body = loaded.doc, service.name, ("services", service.name)
    canary = canary_of(name)
    if canary in {*doc.names(("services",)), *loaded.project.services, *services_elsewhere(context, doc)}:
        there = loaded.project.services.get(canary)
        ended = f"end it with 'stackctl promote {name}' or 'stackctl abort {name}'"
        ours = there is not None and there.role == CANARY_ROLE
        raise InputError(
            f"{name} has a canary already" if ours else f"there is a service {canary} already, the name of the canary",
            where=doc.where_of(("services", canary)),
            hint=f"{ended}, or give it another image: 'stackctl deploy {canary} --image {image}'"
            if ours
            else "give it another name",
        )
    if service.builds:
        raise InputError(
            f"{name} is built here, and its canary would be built from the same files",
            where=doc.where_of((*body, "build")),
            hint="build the image apart, and write 'image' in the place of 'build'",
        )
    set_text(doc, (*body, "image"), image)  # as 'promote' will
    if service.image == image:
        hint = "give the newer version a tag of its own"
        raise InputError(f"{name} has the image {image} already", where=doc.where_of((*body, "image")), hint=hint)
    for other in others_with(context.directory.files, name):
        raise InputError(
            f"{context.directory.files.name_of(other)} changes {name} too, and would not change its canary",
            hint=f"move its keys to {context.directory.files.name}, or deploy without a canary",
        )
    containers = context.orchestrator.containers(loaded.project.name)
    settings = loaded.stack.deploys.get(name, DeploySettings())
    reason = settings.stop_first or stop_reason(loaded.project, containers, loaded.stack, service)
    if reason is not None:
        raise InputError(
            f"no canary can run beside {name}: {reason.text}",
            where=reason.where,
            hint="deploy without a canary; where two containers may share a volume, say so with 'order: start-first'",
        )
    if service.hosts:
        raise InputError(
            f"other services reach {name} as {', '.join(sorted(service.hosts))}, and would reach its canary too",
            where=doc.where_of((*body, "networks" if doc.entry((*body, "hostname")) is None else "hostname")),
            hint=f"let them use its name, {name}, and remove the other one",
        )
