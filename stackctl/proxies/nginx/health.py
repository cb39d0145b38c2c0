"""nginx: active health checks, which the container's own program makes.

nginx itself has none. A program in the generation asks the servers, and writes a group without those that fail to the
container's tmpfs. Each checked group has a variable that names it, or that one while it is there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stackctl.assets import assets_root
from stackctl.model.backends import Backend, Server, Speaks
from stackctl.model.health import ActiveCheck
from stackctl.model.layout import site_file
from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.model.wildcards import sample
from stackctl.proxies.nginx.capabilities import Capabilities
from stackctl.proxies.nginx.groups import Group, GroupNames, group_of, has_group
from stackctl.proxies.nginx.layout import HEALTH, HEALTH_STATE, NGINX
from stackctl.proxies.nginx.maps import Map
from stackctl.proxies.nginx.upstream import SYSTEM_CA, ca_path
from stackctl.proxies.nginx.variables import Variables
from stackctl.proxies.proxy import Files
from stackctl.templates import render

SERVERS = f"{HEALTH_STATE}/servers.con[f]"
"""What ``nginx.conf`` includes: a pattern, as there may be no such file."""

CHOSEN = f"{HEALTH_STATE}/chosen.ma[p]"

_PROGRAM = ("watch.sh", "servers.awk")


@dataclass(frozen=True, slots=True)
class CheckedGroup:
    """A group of servers that the container's program asks.

    Attributes:
        id: the digest of the group, by which another one can take its place; any change makes another.
        tls_name: the name in the certificates of its servers; ``-`` for their hosts.
        asking: further lines of curl's configuration.
        lines: the directives of the group, without its servers.
    """

    id: str
    scheme: str
    tls_name: str
    path: str
    statuses: str
    every: int
    timeout: str
    rise: int
    fall: int
    asking: tuple[str, ...]
    lines: tuple[str, ...]
    servers: tuple[str, ...]


def program(stack: Stack) -> Files:
    """Return the files of the program that asks; none of a stack whose servers are not asked."""
    if not any(stack.checked):
        return {}
    return {f"{HEALTH}/{name}": (assets_root() / "nginx/health" / name).read_bytes() for name in _PROGRAM}


@dataclass(frozen=True, slots=True)
class Checks:
    """The checks of a site.

    Attributes:
        names: the name of each of its groups; ``groups`` are those whose servers are asked.
        chosen: what ``proxy_pass`` names: the group, or a variable with what takes its place.
    """

    site: Site
    names: GroupNames
    groups: Mapping[Backend, CheckedGroup]
    chosen: GroupNames

    @classmethod
    def of(cls, site: Site, names: GroupNames, able: Capabilities, keepalive: int) -> Checks:
        """Return the checks of ``site``; each group keeps ``keepalive`` idle connections."""
        groups = {
            backend: _checked(site, backend, backend.health, group_of(backend, name, able), keepalive)
            for backend, name in names.items()
            if backend.health is not None
        }
        of_site = Variables(site.name)
        chosen = {
            backend: of_site.named(f"servers{number}") if backend in groups and has_group(backend, able) else name
            for number, (backend, name) in enumerate(names.items())
        }
        return cls(site, names, groups, chosen)

    @property
    def maps(self) -> Iterator[Map]:
        """The map behind each variable."""
        for backend, variable in self.chosen.items():
            if variable != self.names[backend]:
                yield Map(self.groups[backend].id, variable, default=self.names[backend], include=CHOSEN)

    @property
    def files(self) -> Files:
        """``health/DOMAIN.conf``, for the program that asks; nothing for a site whose servers are not asked."""
        if not self.groups:
            return {}
        text = render("nginx/health/site.conf.j2", name=sample(self.site.name), groups=self.groups.values())
        return {f"{HEALTH}/{site_file(self.site.name)}.conf": text.encode()}


def _checked(site: Site, backend: Backend, health: ActiveCheck, group: Group, keepalive: int) -> CheckedGroup:
    first = backend.servers[0]
    lines = tuple(group.lines(keepalive))
    text = "\n".join([site.name, group.name, *lines, *group.servers])
    return CheckedGroup(
        id=hashlib.sha256(text.encode()).hexdigest()[:16],
        scheme="https" if first.tls else "http",
        tls_name=(first.tls and first.tls.name) or "-",
        path=health.check.path,
        statuses=",".join(health.check.ranges),
        every=health.every,
        timeout=f"{health.check.timeout:g}",
        rise=health.rise,
        fall=health.fall,
        asking=tuple(_asking(site, first)),
        lines=lines,
        servers=group.servers,
    )


def _asking(site: Site, server: Server) -> Iterator[str]:
    """Yield the lines of curl's configuration for what a server speaks, as nginx itself speaks to it."""
    if server.speaks is Speaks.H2C:
        yield "http2-prior-knowledge"
    if server.tls is not None:
        yield "tlsv1.2"
        if not server.tls.verify:
            yield "insecure"
        else:
            ca = server.tls.ca
            yield f'cacert = "{f"{NGINX.mount}/{ca_path(site, ca)}" if ca else SYSTEM_CA}"'
