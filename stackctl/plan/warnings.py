"""Say what is allowed, but certainly not meant."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from stackctl.certs.renewal_edit import renews_elsewhere
from stackctl.model.backends import Backend
from stackctl.model.balancing import Balance
from stackctl.model.layout import site_file
from stackctl.model.project import Service
from stackctl.model.routing import Route, Site
from stackctl.model.shadowing import shadowed
from stackctl.model.stack import Stack
from stackctl.model.values import Domain
from stackctl.observed.state import Observed
from stackctl.plan.certificates import Issue
from stackctl.plan.deploy import RouteOperation
from stackctl.plan.operation import Plan
from stackctl.proxies.proxy import ProxyLayout
from stackctl.wording import listed


def warnings(sites: Sequence[Site], services: Mapping[str, Service]) -> Iterator[str]:
    """Yield a warning of each route that no request can reach, with both places, and of a balance of one server.

    And of each route all of whose ``services`` are to have no container.
    """
    empty = {name for name, service in services.items() if not service.replicas}
    for site in sites:
        for route in site.routes:
            if isinstance(route.action, Backend) and _shares_nothing(route.action):
                yield f"{route.where}: {site.name} has one server here, so 'balance' and 'sticky' have no effect"
            if (
                empty
                and isinstance(route.action, Backend)
                and all(one.service in empty for one in route.action.servers)
            ):
                yield f"{route.where}: {_subject(site, route)} is answered with 502: {_none(route.action)}"
        for route, hiding in shadowed(site.routes):
            yield (
                f"{route.where}: no request reaches this route of {site.name}, {route.match}: "
                f"the one at {hiding.where} comes first, and takes all of them"
            )


def at_another_ca(stack: Stack, sites: Iterable[Site], observed: Observed, plan: Plan) -> Iterator[str]:
    """Yield a warning of the certificates that are renewed at another CA, as there is no account at that of the file.

    A request in ``plan`` registers one.
    """
    found: dict[str, list[Domain]] = {}
    for site in sites:
        acme = stack.acme_of(site)
        if acme.is_for_tests or site.local or observed.settings.account_at(acme.directory) is not None:
            continue
        text = observed.settings.renewals.get(observed.shelf.name_of(site))
        if text is not None and renews_elsewhere(text, acme.directory):
            found.setdefault(acme.directory, []).append(site.name)
    if any(isinstance(operation, Issue) for operation in plan.operations):
        return
    for directory, names in found.items():
        yield (
            f"{listed(names)}: still renewed by another CA, as there is no account at {directory}: "
            "'stackctl renew --changed' registers one and replaces what differs; the old one is served until then"
        )


def undeployed(stack: Stack, plan: Plan, named: Callable[[], Sequence[tuple[str, str]]]) -> Iterator[str]:
    """Yield a warning of each directive of the user's that names a service which is deployed.

    ``named`` returns the hosts in these directives, with their places: no deploy replaces them.
    """
    services = {one.service for one in plan.operations if isinstance(one, RouteOperation)}
    hosts = {host.lower(): service for service in sorted(services) for host in stack.hosts_of(service)}
    for host, where in named() if hosts else ():
        if host in hosts:
            yield (
                f"{where}: during the deploy of {hosts[host]} this directive reaches all of its containers, also those"
                " that are not ready or about to stop: route it by x-stackctl to lose no request"
            )


def misnamed_files(sites: Sequence[Site], custom: Mapping[str, bytes], layout: ProxyLayout) -> Iterator[str]:
    """Yield a warning of each file of the user's own that is named after an alias: it follows a site's first name."""
    for site in sites:
        for file, wanted in [
            (f"{site_file(alias)}{end}", f"{site_file(site.name)}{end}")
            for alias in site.aliases
            for end in layout.custom_ends
        ]:
            if file not in custom:
                continue
            included = any(file.encode() in content for name, content in custom.items() if name != file)
            if not included:
                todo = "move its directives to" if wanted in custom else "rename it to"
                yield (
                    f"{layout.custom}/{file} has no effect, because the first name of that app is {site.name}: "
                    f"{todo} {layout.custom}/{wanted}"
                )


def _subject(site: Site, route: Route) -> str:
    return site.name if route.is_root else f"{site.name} with {route.match}"


def _none(backend: Backend) -> str:
    names = sorted({one.service for one in backend.servers if one.service})
    return f"{listed(names)} {'is' if len(names) == 1 else 'are'} to have no container"


def _shares_nothing(backend: Backend) -> bool:
    """Whether a backend says how to balance, and is one address; a name may be that of several servers."""
    balances = backend.balance is not Balance.ROUND_ROBIN or backend.sticky is not None
    return balances and len(backend.servers) == 1 and not backend.servers[0].is_resolved
