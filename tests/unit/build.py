"""Builders of model values: each with what a test does not care about filled in."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from stackctl.certs.dummy import ISSUER
from stackctl.certs.lineage import Certificate, Lineage
from stackctl.model.acme import Acme
from stackctl.model.backends import Server
from stackctl.model.endpoints import Endpoint, PortBinding, web_listeners
from stackctl.model.project import Project, PublishedPort, Service
from stackctl.model.routing import Route, Site, everything_to
from stackctl.model.stack import ProxyService, Stack, TlsPolicy
from stackctl.model.tuning import Tuning
from stackctl.model.values import Domain, ServiceName
from stackctl.observed.containers import Container, Deployment
from stackctl.proxies.proxy import SiteTls
from stackctl.proxies.sites import Rendering

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
UPDATE_GOLDEN = os.environ.get("STACKCTL_UPDATE_GOLDEN") == "1"
"""Whether golden files are written instead of compared."""

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def site(
    *names: str, service: str | None = "web", port: int = 8000, host: str | None = None, tuning: Tuning | None = None
) -> Site:
    """A site of a Compose service, or with ``host`` of something outside."""
    server = Server(Endpoint(host, port)) if host is not None else Server.of(ServiceName(service or ""), port)
    domains = tuple(Domain(name) for name in names or ("a.example.com",))
    return Site(domains, everything_to(server), tuning or Tuning())


def routed(name: str, *routes: Route, aliases: Iterable[str] = (), tuning: Tuning | None = None) -> Site:
    """A site with these routes."""
    return Site(tuple(map(Domain, (name, *aliases))), routes, tuning or Tuning())


def stack(
    *sites: Site,
    acme: Acme | None = None,
    tls: TlsPolicy = TlsPolicy.INTERMEDIATE,
    image: str = "nginx:1.30",
    https: PortBinding | None = None,
) -> Stack:
    """A stack of ``apps`` with the services ``nginx`` and ``certbot``."""
    proxy_service = ProxyService(
        ServiceName("nginx"), image, web_listeners(PortBinding(None, 80), https or PortBinding(None, 443))
    )
    return Stack(
        acme=acme or Acme(email="you@example.com", agree_tos=True),
        sites=sites,
        proxy=proxy_service,
        certbot=ServiceName("certbot"),
        tls=tls,
    )


def certificate(*names: str, fingerprint: str = "f1", not_before: datetime = NOW, days: float = 90) -> Certificate:
    """A certificate for ``names``."""
    return Certificate(fingerprint, tuple(sorted(names)), "Test CA", not_before, not_before + timedelta(days=days))


def dummy(*names: str, fingerprint: str = "d1") -> Certificate:
    """A dummy for ``names``, as :mod:`stackctl.certs.dummy` makes it."""
    return replace(certificate(*names, fingerprint=fingerprint, days=3650), issuer=ISSUER)


def lineage(*names: str, problem: str | None = None, fingerprint: str = "f1", name: str | None = None) -> Lineage:
    """A lineage named after the first of ``names``."""
    return Lineage(name or names[0], certificate(*names, fingerprint=fingerprint), problem, "https://ca.test/dir")


def lineages(*found: Lineage) -> dict[str, Lineage]:
    """Lineages by their names."""
    return {one.name: one for one in found}


def service(
    name: str,
    *,
    image: str | None = None,
    builds: bool = False,
    config_hash: str = "h1",
    role: str | None = None,
    ports: Iterable[tuple[int, str | None, int]] = (),
) -> Service:
    """A resolved service; ``ports`` are (target, address, published)."""
    return Service(
        ServiceName(name),
        image or f"{name}:1",
        builds,
        config_hash,
        {"stackctl.role": role} if role else {},
        tuple(PublishedPort(target, PortBinding(address, at)) for target, address, at in ports),
        frozenset({"default"}),
    )


NGINX = service("nginx", image="nginx:1.30", role="proxy", ports=[(80, None, 80), (443, None, 443)])
CERTBOT = service("certbot", role="certbot")


def project(*services: Service) -> Project:
    """A project with the proxy, certbot and ``services``."""
    return Project("demo", {one.name: one for one in (NGINX, CERTBOT, *services)})


def deployment(*containers: Container) -> Deployment:
    """What one look found."""
    return Deployment(containers)


def container(
    name: str,
    *,
    state: str = "running",
    health: str | None = None,
    image_id: str | None = None,
    config_hash: str = "h1",
    role: str | None = "app",
    number: int = 1,
) -> Container:
    """A container of the service ``name``, by default as the file says."""
    return Container(f"{name}-{number}", name, state, health, image_id or f"id of {name}", config_hash, role)


def images(*services: Service) -> Mapping[str, str | None]:
    """Image ids by which the containers of :func:`container` are up to date."""
    return {one.image or "": f"id of {one.name}" for one in (NGINX, CERTBOT, *services)}


def whole(rendering: Rendering, stack: Stack, tls: Mapping[Domain, SiteTls]) -> dict[str, bytes]:
    """The files of a whole stack, without its marker."""
    rendered = rendering.render(stack, stack.sites, tls)
    return {
        **rendered.shared,
        **{
            path: body
            for files in (*rendered.sites.values(), *rendered.streams.values())
            for path, body in files.items()
        },
    }
