"""Check whether the proxy can reach an app, and find the cause if it cannot."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from stackctl.diagnose.check import Check, Verdict, ok, skipped, unknown, wrong
from stackctl.diagnose.health import judge_answers
from stackctl.model.backends import Server
from stackctl.model.own_names import is_own_container
from stackctl.observed.containers import Inspected
from stackctl.observed.sockets import ListeningSocket
from stackctl.proxies.health import ServerHealth
from stackctl.wording import listed

CONTAINER, HEALTH, NETWORK, PORT, OUTSIDE = "app-container", "app-health", "app-network", "app-port", "app-outside"
TLS, PARKED, DEPLOY = "app-tls", "parked", "deploy"

_STARTING = timedelta(seconds=20)
"""How long a container without a health check may take until it listens."""

SETTLED = timedelta(minutes=2)
"""How long a restarted container must be up to count as stable, and not in a crash loop."""


@dataclass(frozen=True, slots=True)
class RefusedTls:
    """What the proxy logged about its TLS handshake with an app, and what to do about it."""

    message: str
    todo: str


class Idle(Enum):
    """Why the Compose file has a service without containers."""

    PROFILE = "its profile is not active"
    SCALED = "the Compose file says that it has none"


@dataclass(frozen=True, slots=True)
class AppFacts:
    """Facts about one server of a site.

    Attributes:
        subject: the site's name.
        server: the endpoint that the proxy connects to.
        where: ``file:line`` of its port.
        containers: the containers of its service.
        proxy_networks: Docker's names of the proxy's networks; None if the proxy does not run.
        answers: whether it accepts a connection from this host; None if that was not tried.
        now: the time of the check.
        idle: why 'up' does not start the service; None if it does.
        asked: what the proxy knows of it, at each of its addresses; empty for a server that it does not ask.
        instead: the servers that its clients get while it does not answer; empty unless it is a canary.
    """

    subject: str
    server: Server
    where: str
    containers: tuple[Inspected, ...]
    proxy_networks: frozenset[str] | None
    answers: bool | None
    now: datetime
    idle: Idle | None = None
    asked: tuple[ServerHealth, ...] = ()
    instead: tuple[Server, ...] = ()

    @property
    def start(self) -> str:
        """What starts the service."""
        if self.idle is None:
            return "run 'stackctl up'"
        if self.idle is Idle.SCALED:
            return f"give {self.server.service} 'deploy: {{replicas: 1}}' or more, then run 'stackctl up'"
        return f"add the profile of {self.server.service} to COMPOSE_PROFILES in .env, then run 'stackctl up'"


def judge_tls(site: str, server: Server, refused: RefusedTls | None) -> Check:
    """Return the check of the handshake between the proxy and an app that speaks HTTPS."""
    if refused is not None:
        return wrong(TLS, f"the proxy refuses {server.upstream}: {refused.message}", refused.todo, site)
    return ok(TLS, f"the proxy accepts the TLS handshake of {server.upstream}", site)


def parked(site: str, reason: str) -> Check:
    """Return the check of a site that is not served because the proxy rejects its files."""
    text = f"it is not served, so that all other sites are: {reason}"
    return wrong(PARKED, text, "correct it, then run 'stackctl up'", site)


def pinned(site: str, service: str) -> Check:
    """Return the check of a site whose files have addresses of containers: a deploy has not ended."""
    text = f"a deploy of {service} is running or was interrupted: the proxy's files have addresses of its containers"
    return wrong(DEPLOY, text, "wait for it, or run 'stackctl up', which finishes it", site)


def judge_app(facts: AppFacts) -> list[Check]:
    """Return the checks of one app, in the order of a request's hops; of several containers, those of the worst."""
    reached = _reached(facts)
    if facts.instead and reached[0].verdict is Verdict.WRONG:
        others = listed([str(server) for server in facts.instead])
        reached[0] = replace(reached[0], text=f"{reached[0].text}; clients of this canary get {others} until then")
    return [*reached, *judge_answers(facts.subject, facts.where, facts.asked)]


def _reached(facts: AppFacts) -> list[Check]:
    if facts.server.service is None:
        return [_outside(facts)]
    if not facts.containers:
        why = f": {facts.idle.value}" if facts.idle else ""
        text = f"the service {facts.server.service} has no container{why}"
        return [
            wrong(CONTAINER, text, facts.start, facts.subject),
            *skipped((HEALTH, NETWORK, PORT), "it has no container", facts.subject),
        ]
    judged = [_container_checks(facts, container) for container in facts.containers]
    return max(judged, key=lambda checks: [check.verdict is Verdict.WRONG for check in checks])


def _outside(facts: AppFacts) -> Check:
    at = facts.server.endpoint
    if is_own_container(at.host):
        todo = f"use the host's address on Docker's bridge instead, such as 172.17.0.1:{at.port}"
        return wrong(OUTSIDE, f"{at} is the proxy's own container, not this host", todo, facts.subject)
    if facts.answers is None:
        return unknown(OUTSIDE, f"only the proxy's container can resolve {at}", subject=facts.subject)
    if facts.answers:
        return ok(OUTSIDE, f"{at} accepts connections from this host", facts.subject)
    todo = f"start the server at {at}, allow this host's containers in its firewall, or correct {facts.where}"
    return wrong(OUTSIDE, f"{at} does not accept connections", todo, facts.subject)


def _container_checks(facts: AppFacts, container: Inspected) -> list[Check]:
    up = _up(facts, container)
    if up.verdict is not Verdict.OK:
        return [up, *skipped((HEALTH, NETWORK, PORT), "its container does not run", facts.subject)]
    network, port = _network(facts, container), _port(facts, container)
    broken = Verdict.WRONG in {network.verdict, port.verdict}
    return [up, _health(facts, container, broken=broken), network, port]


def _up(facts: AppFacts, container: Inspected) -> Check:
    logs = f"see 'stackctl logs {facts.subject}'"
    last_line = f"; last log line: {container.last_line}" if container.last_line else ""
    up_for = facts.now - container.started if container.started else timedelta(0)
    if container.state == "restarting" or (container.running and container.restarts and up_for < SETTLED):
        memory = "ran out of memory" if container.oom_killed else f"ended with code {container.exit_code}"
        text = f"{container.name} is in a crash loop: it {memory}, and was restarted {container.restarts} times"
        return wrong(CONTAINER, text + last_line, f"fix the error that the app reports; {logs}", facts.subject)
    if container.state == "paused":
        todo = f"run 'docker compose unpause {facts.server.service}'"
        return wrong(CONTAINER, f"{container.name} is paused", todo, facts.subject)
    if not container.running:
        ended = f" with code {container.exit_code}" if container.state == "exited" else ""
        text = f"{container.name} is not running: {container.state}{ended}{last_line}"
        return wrong(CONTAINER, text, f"{facts.start}; if it ends again, {logs}", facts.subject)
    return ok(CONTAINER, f"{container.name} is running", facts.subject)


def _health(facts: AppFacts, container: Inspected, *, broken: bool) -> Check:
    if container.health is None:
        return ok(HEALTH, f"{container.name} has no health check", facts.subject)
    if container.health == "unhealthy":
        output = f": {container.health_output}" if container.health_output else ""
        text = f"{container.name} is unhealthy{output}"
        if broken:
            return unknown(HEALTH, f"{text}; fix the other faults first", subject=facts.subject)
        todo = f"see what its health check tests, and 'stackctl logs {facts.subject}'"
        return wrong(HEALTH, text, todo, facts.subject)
    if container.health == "starting":
        return unknown(HEALTH, f"{container.name} is still starting", "check again in a moment", facts.subject)
    return ok(HEALTH, f"{container.name} is {container.health}", facts.subject)


def _network(facts: AppFacts, container: Inspected) -> Check:
    if facts.proxy_networks is None:
        return skipped([NETWORK], "the proxy does not run", facts.subject)[0]
    shared = sorted(facts.proxy_networks & set(container.networks))
    if shared:
        at = ", ".join(f"{network} ({container.networks[network]})" for network in shared)
        return ok(NETWORK, f"{container.name} and the proxy are both on {at}", facts.subject)
    own = ", ".join(sorted(container.networks)) or "none"
    proxys = ", ".join(sorted(facts.proxy_networks)) or "none"
    text = f"{container.name} shares no network with the proxy: it is on {own}, the proxy on {proxys}"
    recreate = f"docker compose up -d --force-recreate {facts.server.service}"
    todo = f"run '{recreate}' to attach it to the networks of its definition"
    return wrong(NETWORK, text, todo, facts.subject)


def _port(facts: AppFacts, container: Inspected) -> Check:
    name, port = container.name, facts.server.endpoint.port
    if container.listeners is None:
        return _port_from_outside(facts, container)
    here = [one for one in container.listeners if one.port == port]
    if any(one.reachable_at(container.addresses) for one in here):
        return ok(PORT, f"{name} listens on port {port}", facts.subject)
    if here:
        text, todo = _out_of_reach(name, here[0])
        return wrong(PORT, text, todo, facts.subject)
    up_for = facts.now - container.started if container.started else timedelta(0)
    if not container.listeners and (container.health == "starting" or up_for < _STARTING):
        text = f"{name} is still starting: it listens on no port yet, after {max(0, int(up_for.total_seconds()))} s"
        return wrong(PORT, text, f"check again in a moment, or see 'stackctl logs {facts.subject}'", facts.subject)
    if not container.listeners:
        todo = f"see 'stackctl logs {facts.subject}', and make the app listen on 0.0.0.0:{port}"
        return wrong(PORT, f"{name} listens on no port at all", todo, facts.subject)
    return _wrong_port(facts, container)


def _out_of_reach(name: str, listener: ListeningSocket) -> tuple[str, str]:
    """Return why the proxy cannot reach ``listener``, and what to do."""
    if listener.ipv6_only:
        text = f"{name} listens on {listener} for IPv6 only, but the proxy connects over IPv4"
        return text, f"make the app bind to 0.0.0.0:{listener.port}, or to {listener} for both IPv4 and IPv6"
    text = f"{name} listens on {listener} only, which cannot be reached from outside its container"
    return text, f"make the app bind to 0.0.0.0:{listener.port} instead of {listener.address}"


def _wrong_port(facts: AppFacts, container: Inspected) -> Check:
    name, port = container.name, facts.server.endpoint.port
    listeners = container.listeners or ()
    others = sorted({one.port for one in listeners if one.reachable_at(container.addresses)})
    if not others:
        only = ", ".join(map(str, listeners))
        todo = f"make the app bind to 0.0.0.0:{port}"
        return wrong(PORT, f"nothing listens on port {port} in {name}, only on {only}", todo, facts.subject)
    ports = " and ".join(map(str, others))
    text = f"wrong port: nothing listens on {port} in {name}, but on {ports}"
    key = f"the port to {others[0]}" if facts.server.where else f"'port: {others[0]}'"
    todo = f"set {key} at {facts.where} and run 'stackctl up', or make the app listen on {port}"
    return wrong(PORT, text, todo, facts.subject)


def _port_from_outside(facts: AppFacts, container: Inspected) -> Check:
    """Check the port by a connection, for a container whose sockets cannot be read."""
    name, port = container.name, facts.server.endpoint.port
    if facts.answers is None:
        todo = f"run 'docker compose exec {facts.server.service} cat /proc/net/tcp'"
        return unknown(PORT, f"the listening sockets of {name} cannot be read from here", todo, facts.subject)
    if facts.answers:
        return ok(PORT, f"{name} accepts connections on port {port}", facts.subject)
    todo = f"make the app listen on 0.0.0.0:{port}, or correct the port at {facts.where}"
    return wrong(PORT, f"{name} does not accept connections on port {port}", todo, facts.subject)
