"""nginx: renders the files of one site."""

from __future__ import annotations

from collections.abc import Sequence

from stackctl.model.layout import CHALLENGES
from stackctl.model.routing import Route, Server, Site, Tuning
from stackctl.model.stack import Stack
from stackctl.proxies.nginx.capabilities import Capabilities, Version
from stackctl.proxies.nginx.custom import site_copies
from stackctl.proxies.nginx.directives import first
from stackctl.proxies.nginx.late import Surroundings
from stackctl.proxies.nginx.own import (
    Directives,
    Snippets,
    buffer_lines,
    can_protect_http,
    challenge_lines,
    giving_way,
    header_lines,
    needs_buffering,
    outer_lines,
    sets_buffers,
)
from stackctl.proxies.nginx.quoting import any_of, nginx_quote
from stackctl.proxies.nginx.snippets import challenge, own_directives, own_snippets
from stackctl.proxies.nginx.upstream import tls_lines
from stackctl.proxies.proxy import Files, SiteTls
from stackctl.templates import render

MANY = 500
"""With more sites, each keeps fewer idle connections to its upstream."""


def site_files(  # noqa: PLR0913  (a site, and the user's files for it)
    stack: Stack,
    site: Site,
    tls: SiteTls,
    version: Version,
    *,
    custom: bytes | None,
    location: bytes | None = None,
    http: Directives = (),
    groups: frozenset[str] = frozenset(),
    ca: bytes | None = None,
) -> Files:
    """Return ``sites/DOMAIN.conf``; ``.redirect`` has its names that HTTP redirects.

    ``.custom``, ``.location`` and ``.ca`` are copies of the user's own files: for its server, for its
    ``location /``, and the root certificates by which its app is verified. ``http`` has the user's directives around
    all servers, ``groups`` are the upstream groups next to the servers.
    """
    able = Capabilities.of(version)
    route, server = _only(site)
    snippets = own_snippets()
    own = [http, own_directives(custom), own_directives(location)]
    protected = can_protect_http(own[1])
    extra = list(challenge_lines(own[1]))
    text = render(
        "nginx/site.conf.j2",
        name=site.name,
        own_names=any_of(site.domains),
        proxy=stack.proxy,
        path=route.match.all_of.paths[0],
        upstream=str(server),
        quoted_upstream=nginx_quote(str(server)),
        # Without 'resolve', a group with a missing container would stop all sites: then there is no group.
        group=f"app_{site.name}" if able.upstream_resolve else None,
        resolve=server.is_resolved,
        # nginx reserves the memory of idle connections for each site: 32 of them cost 6 KB.
        keepalive=32 if len(stack.sites) <= MANY else 8,
        plain_names=[name for name in site.domains if name not in tls.trusted],
        http2=able.http2,
        certificates=tls.by_certificate(site),
        settings=_settings(site, own),
        custom=custom is not None,
        protected=protected,
        challenges=CHALLENGES,
        challenge=challenge(extra, indent=4) if extra else "",
        location=location is not None,
        server_lines=header_lines(snippets, own[:1], own[1]),
        location_lines=_location_lines(snippets, own),
        scheme="http" if server.tls is None else "https",
        tls_lines=list(tls_lines(site.name, server)),
    )
    around = Surroundings(site.name, groups, stack.proxy.hosts, resolves=able.upstream_resolve)
    copies, definitions = site_copies(around, {"custom": custom, "location": location}, own)
    files = {f"sites/{site.name}.conf": (giving_way(text, own[2], 8) + definitions).encode()}
    redirected = [name for name in site.domains if name in tls.trusted]
    if redirected:
        files[f"sites/{site.name}.redirect"] = render("nginx/redirect.j2", names=redirected).encode()
    if ca is not None:
        files[f"sites/{site.name}.ca"] = ca
    return files | {f"sites/{site.name}.{kind}": body for kind, body in copies.items()}


def _settings(site: Site, own: Sequence[Directives]) -> list[str]:
    """Return the settings of a site's servers; one that the user sets there is left to the user."""
    defaults = Tuning()
    tuned = {
        "client_max_body_size": (site.tuning.body_size, defaults.body_size),
        "proxy_connect_timeout": (site.tuning.connect_timeout, defaults.connect_timeout),
        "proxy_read_timeout": (site.tuning.read_timeout, defaults.read_timeout),
        "proxy_send_timeout": (site.tuning.send_timeout, defaults.send_timeout),
    }
    http, server, location = own
    if site.tuning.buffering:
        tuned |= dict.fromkeys(("proxy_buffering", "proxy_request_buffering"), ("on", "off"))
    lines = [
        f"{name} {value};"
        for name, (value, default) in tuned.items()
        # What http.conf sets is a default too, where the Compose file has no other value.
        if first(server, name) is None and (value != default or first(http, name) is None)
    ]
    stores = needs_buffering((*server, *location)) and not site.tuning.buffering
    if stores and first(server, "proxy_buffering") is None:
        lines.append("proxy_buffering on;")
    return lines + (buffer_lines(server) if sets_buffers(server) else [])


def _location_lines(snippets: Snippets, own: Sequence[Directives]) -> list[str]:
    """Return the lines of the location that proxies, next to the user's own."""
    *outer, location = own
    lines = header_lines(snippets, outer, location)
    for name in ("add_header", "proxy_hide_header"):
        lines += outer_lines(name, outer, location)
    return lines + (buffer_lines(location) if sets_buffers(location) else [])


def _only(site: Site) -> tuple[Route, Server]:
    """Return the one route of a site and its one server: the template has no others yet."""
    (route,) = site.routes
    (server,) = route.servers
    return route, server
