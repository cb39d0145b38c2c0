"""``stackctl servers``: the servers of a site with their state, and changes of one of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from stackctl.diagnose.apps import AppFacts, judge_app
from stackctl.diagnose.check import Check, Verdict
from stackctl.diagnose.health import described
from stackctl.engine.context import Context
from stackctl.engine.probe.apps import app_facts, endpoints_answer, idle, proxy_networks
from stackctl.engine.probe.errors import last_errors
from stackctl.engine.probe.health import of_server, servers_health
from stackctl.errors import InputError, StackfileError
from stackctl.model.backends import Server
from stackctl.model.endpoints import Endpoint
from stackctl.model.routing import Route, Site
from stackctl.model.values import Domain
from stackctl.observed.containers import Container, Deployment
from stackctl.plan.intent import Intent
from stackctl.proxies.health import ServerHealth, ServersHealth
from stackctl.proxies.proxy import Pins
from stackctl.proxies.trace import LoggedError
from stackctl.stackfile.paths import blocks_of_site
from stackctl.stackfile.read import read_blocks
from stackctl.stackfile.upstreams import ServerChange, items_of, with_change
from stackctl.usecases.converge import Loaded, converge, load, load_current
from stackctl.usecases.result import Result

UP, DOWN, DRAINED, WAITING = "up", "down", "drained", "waiting"


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """One server of a site.

    Attributes:
        match: the requests of its first route.
        address: where the proxy connects to; the name of the service where it has no container.
        state: ``up``, ``down``, ``drained``, or ``waiting`` while a deploy passes requests to others.
        reason: why it gets no requests, or what is wrong although it does.
        since: when it came into that state; None for a server that the proxy does not ask.
        health: that of its container, if Docker checks it.
        last_error: the last error that the proxy logged about it; ``last_error_at`` is its time.
    """

    match: str
    address: str
    service: str | None
    container: str | None
    weight: int
    backup: bool
    max_connections: int | None
    state: str
    reason: str | None
    since: datetime | None
    health: str | None
    last_error: str | None
    last_error_at: str | None
    where: str


@dataclass(frozen=True, slots=True)
class ServersReport:
    """The servers of a site, in the order of the file."""

    domain: Domain
    servers: tuple[ServerStatus, ...]


def show_servers(context: Context, domain: Domain) -> Result[ServersReport]:
    """Return the servers of a site, each container of a service by itself.

    Raises:
        InputError: no site has the name.
    """
    loaded = load_current(context)
    site = loaded.site(domain)
    looked = _Looked.at(context, loaded, site)
    rows = tuple(row for route, server in site.routed for row in looked.rows(route, server))
    return Result("servers show", ServersReport(site.name, rows))


def change_server(
    context: Context, domain: Domain, address: Endpoint, change: ServerChange, *, dry_run: bool = False
) -> Result[None]:
    """Change a key of the server at ``address`` in the Compose file, and apply it.

    Raises:
        InputError: no site has the name, the site has no such server or would have none left; nothing was changed.
    """
    loaded = load_current(context)
    site = loaded.site(domain)
    blocks = blocks_of_site(read_blocks(loaded.values), site)
    items = items_of(loaded.values, blocks, address)
    if not items:
        raise _no_item(site, address)
    doc = loaded.doc
    for item in items:
        doc = with_change(doc, item, change)
    try:
        after = load(context, doc, loaded.before)
    except StackfileError as error:
        # The line that it names was never written.
        raise InputError(error.message, where=str(address), hint=error.hint) from error
    intent = Intent(focus=frozenset({site.name}), issue=False, strict=True)
    return converge(context, f"servers {change.verb}", after, intent, dry_run=dry_run)


def _no_item(site: Site, address: Endpoint) -> InputError:
    services = [server for server in site.servers if server.service is not None and server.endpoint == address]
    if services:
        return InputError(
            f"{address} is a service of the stack, whose containers share one name",
            where=site.where,
            hint=f"change their number with 'deploy: {{replicas: N}}' of {services[0].service}, then run 'stackctl up'",
        )
    alone = any(server.endpoint == address for server in site.servers)
    known = ", ".join(str(server) for server in site.servers)
    return InputError(
        f"{address} is the only server of its route" if alone else f"{site.name} has no server {address}",
        where=site.where,
        hint="list several with 'upstreams'" if alone else f"its servers are: {known}" if known else None,
    )


@dataclass(frozen=True)
class _Looked:
    """What was seen of the servers of a site."""

    context: Context
    loaded: Loaded
    containers: Deployment
    networks: frozenset[str] | None
    answers: Mapping[Endpoint, bool]
    errors: Mapping[Endpoint, LoggedError]
    pins: Pins
    site: Domain
    health: ServersHealth

    @classmethod
    def at(cls, context: Context, loaded: Loaded, site: Site) -> _Looked:
        stack = loaded.stack
        containers = context.orchestrator.containers(loaded.project.name)
        kind = context.proxy_of(stack)
        return cls(
            context,
            loaded,
            containers,
            proxy_networks(context, stack.proxy, containers),
            endpoints_answer(context, (server.endpoint for server in site.servers if server.service is None)),
            last_errors(context, kind, containers.best(stack.proxy.service), site.domains),
            kind.pins(context.delivery(kind.layout).live()),
            site.name,
            servers_health(context, stack, containers),
        )

    def rows(self, route: Route, server: Server) -> Iterator[ServerStatus]:
        """Yield a row for each container of a server, or one."""
        asked = {one.address: one for one in of_server(self.health, self.site, server)}
        own = self.containers.of(server.service)
        if not own:
            one = next(iter(asked.values()), None)
            yield self._row(route, server, None, server.endpoint, self.containers, one)
        for container in own:
            ats = [Endpoint(address, server.endpoint.port) for address in container.addresses]
            at = next((at for at in ats if at in asked), next(iter(ats), server.endpoint))
            yield self._row(route, server, container, at, Deployment((container,)), asked.get(at))

    def _row(  # noqa: PLR0913  (a server of a route, and what was seen of it)
        self,
        route: Route,
        server: Server,
        container: Container | None,
        at: Endpoint,
        containers: Deployment,
        asked: ServerHealth | None,
    ) -> ServerStatus:
        facts = app_facts(
            self.context,
            containers,
            self.networks,
            self.loaded.stack.proxy.service,
            server,
            route.where,
            answers=self.answers.get(server.endpoint),
            idle=idle(self.loaded.project, server),
        )
        state, reason = self._state(facts, server, at, asked)
        # Whatever else makes a state did not begin with an answer to the proxy.
        begun = asked is not None and state == (UP if asked.up else DOWN)
        error = self.errors.get(at)
        return ServerStatus(
            match=str(route.match),
            address=str(at),
            service=server.service,
            container=container.label if container else None,
            weight=server.weight,
            backup=server.backup,
            max_connections=server.max_connections,
            state=state,
            reason=reason,
            since=asked.since if asked and begun else None,
            health=container.health if container else None,
            last_error=error.message if error else None,
            last_error_at=error.time if error else None,
            where=route.where,
        )

    def _state(
        self, facts: AppFacts, server: Server, at: Endpoint, asked: ServerHealth | None
    ) -> tuple[str, str | None]:
        """Return the state of a server, and why."""
        if server.drained:
            return DRAINED, "'drain' is set in the Compose file"
        pinned = self.pins.get(server.service or "")
        if pinned and at.host not in pinned:
            return WAITING, f"a deploy passes requests to {', '.join(sorted(pinned))}"
        faults = [check for check in judge_app(facts) if check.verdict is Verdict.WRONG]
        if asked is not None and not asked.up and (asked.left_out or not faults):
            return (DOWN if asked.left_out else UP), described(asked)
        if not faults:
            return UP, None
        return (UP if _is_served(faults) else DOWN), faults[0].text


def _is_served(faults: list[Check]) -> bool:
    """Whether the proxy passes requests even so: it does not ask Docker for the health of a container."""
    return all(check.name == "app-health" for check in faults)
