"""``stackctl deploy``: brings a newer image or definition of a service into service, and nothing else."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from stackctl.engine.context import Context
from stackctl.errors import EngineError, InputError, StackctlError, StackfileError
from stackctl.model.deploying import DeploySettings
from stackctl.model.match_values import site_and_path
from stackctl.model.stack import Stack
from stackctl.model.values import ServiceName
from stackctl.plan.intent import Intent
from stackctl.stackfile.document import Document
from stackctl.stackfile.scalars import set_text
from stackctl.usecases.converge import Loaded, converge, load, load_current
from stackctl.usecases.result import Result
from stackctl.wording import listed

_KEPT_LOCAL = {"never", "missing", "if_not_present", "build"}
"""The pull policies of Compose by which an image that is there is not replaced."""


@dataclass(frozen=True, slots=True)
class DeployOptions:
    """What a deploy does otherwise than the file says.

    Attributes:
        image: the image that the Compose file names from now on; None for that of the file.
        timeout: how long a new container may take until it is ready, in seconds.
        drain: how long requests to an old container may go on, in seconds.
        skip_health: whether a new container only has to run.
    """

    image: str | None = None
    timeout: float | None = None
    drain: float | None = None
    skip_health: bool = False

    def applied(self, settings: DeploySettings) -> DeploySettings:
        """Return ``settings`` with these."""
        return replace(
            settings,
            timeout=settings.timeout if self.timeout is None else self.timeout,
            drain=settings.drain if self.drain is None else self.drain,
            skip_health=self.skip_health,
        )


def deploy(context: Context, name: str, options: DeployOptions, *, dry_run: bool = False) -> Result[None]:
    """Deploy the services of a site, or one service, by its name; the rest of the stack stays as it is.

    Raises:
        InputError: no site is called so, and no service that a site uses; nothing was changed.
        StackfileError: the image cannot be written into the file; nothing was changed.
        EngineError: the image is not available; nothing was changed.
    """
    loaded = load_current(context)
    services = services_of(loaded.stack, name)
    if options.image is not None:
        if len(services) > 1:
            raise InputError(
                f"{name} has several services: {', '.join(services)}",
                hint="name the service instead of the site",
                field="image",
            )
        loaded = with_image(context, loaded, services[0], loaded.doc, options.image, options.image)
    if not dry_run:
        for service in services:
            pull(context, loaded, service, needed=options.image is not None)
    loaded = with_options(loaded, services, options)
    return converge(context, "deploy", loaded, rolling(loaded.stack, services, services), dry_run=dry_run)


def rolling(stack: Stack, services: Collection[ServiceName], deployed: Collection[ServiceName]) -> Intent:
    """Return the intent to change the sites of ``services``, and to deploy nothing but ``deployed``."""
    focus = frozenset(site.name for site in stack.sites if set(services) & set(site.services))
    return Intent(focus=focus, services=frozenset(deployed), issue=False, align=False)


def with_options(loaded: Loaded, services: Collection[ServiceName], options: DeployOptions) -> Loaded:
    """Return ``loaded`` with the settings of ``services`` as ``options`` say."""
    stack = loaded.stack
    changed: dict[str, DeploySettings] = {
        one: options.applied(stack.deploys.get(one, DeploySettings())) for one in services
    }
    return replace(loaded, stack=replace(stack, deploys={**stack.deploys, **changed}))


def services_of(stack: Stack, name: str) -> tuple[ServiceName, ...]:
    """Return the services that ``name`` stands for: those of a site, those of a path of one, or itself.

    Raises:
        InputError: it stands for none.
    """
    if "/" in name:
        return _services_of_path(stack, name)
    site = stack.site(name.lower())
    if site is not None and site.services:
        return site.services
    routed = sorted({service for one in stack.sites for service in one.services})
    if name in routed:
        return (ServiceName(name),)
    if site is not None:
        raise InputError(f"{name} is answered by no service of the Compose file: there is nothing to deploy")
    if name in stack.services:
        hint = f"start it with 'stackctl up', or route it with 'stackctl add-app DOMAIN --service {name}'"
        raise InputError(f"no site uses the service {name}", hint=hint)
    known = f"services with a site: {', '.join(routed)}" if routed else "no service has a site yet"
    raise InputError(f"{name!r} is neither a site nor a service of one", hint=known)


def _services_of_path(stack: Stack, text: str) -> tuple[ServiceName, ...]:
    domain, path = site_and_path(text)
    site = stack.site(domain)
    if site is None or path is None:
        return services_of(stack, domain)
    routes = [route for route in site.routes if not route.is_rule]
    found = (server.service for route in routes if path in route.match.all_of.paths for server in route.servers)
    services = tuple(dict.fromkeys(service for service in found if service is not None))
    if not services:
        known = listed([str(one) for route in routes for one in route.match.all_of.paths])
        raise InputError(
            f"no service of the Compose file answers {path} of {site.name}", hint=f"its paths are: {known}"
        )
    return services


def with_image(  # noqa: PLR0913  (the file, the line in it, and what Compose makes of that)
    context: Context, loaded: Loaded, service: ServiceName, doc: Document, image: str, wanted: str | None
) -> Loaded:
    """Return ``doc`` with ``image`` in the one line of the service, which Compose is to resolve as ``wanted``.

    Raises:
        StackfileError: the line cannot be edited, or another file overrides it.
    """
    path = ("services", service, "image")
    after = load(context, set_text(doc, path, image), loaded.before)
    if after.project.services[service].image != wanted:
        raise StackfileError(
            f"another Compose file gives {service} the image {after.project.services[service].image}",
            where=after.doc.where_of(path),
            hint="change it there, and run 'stackctl up'",
        )
    return after


def pull(context: Context, loaded: Loaded, service: ServiceName, *, needed: bool) -> None:
    """Pull the image of a service, or its newer version, unless it is built here or kept as it is."""
    resolved = loaded.project.services.get(service)
    policy = loaded.doc.data(("services", service, "pull_policy"))
    if resolved is None or resolved.image is None or resolved.builds:
        return
    there = context.images.image_id(resolved.image) is not None
    if there and (policy in _KEPT_LOCAL or (needed and "@" in resolved.image)):
        return
    context.report.note(f"pulling {resolved.image}")
    try:
        context.images.pull(resolved.image)
    except EngineError as error:
        if not there or error.everywhere:
            raise
        context.report.note(f"the local {resolved.image} is used: {_first_line(error)}")


def _first_line(error: StackctlError) -> str:
    return error.message.splitlines()[0]
