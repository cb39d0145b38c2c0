"""nginx: renders the files of one site."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from stackctl.model.layout import site_file
from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.proxies.names import NamesOnHttp, names_on_http
from stackctl.proxies.nginx.access import AccessRules
from stackctl.proxies.nginx.behind import SCHEME, front
from stackctl.proxies.nginx.blocked import site_blocked
from stackctl.proxies.nginx.capabilities import Capabilities, Version
from stackctl.proxies.nginx.clients import client_lines
from stackctl.proxies.nginx.custom import site_copies
from stackctl.proxies.nginx.groups import canary_maps, group_names, groups_of, targets_of
from stackctl.proxies.nginx.health import Checks
from stackctl.proxies.nginx.late import Surroundings
from stackctl.proxies.nginx.layout import SITES
from stackctl.proxies.nginx.locations import Locations
from stackctl.proxies.nginx.own import Directives, can_protect_http, challenge_lines, has_challenge, needs_buffering
from stackctl.proxies.nginx.pages import own_answers
from stackctl.proxies.nginx.quoting import any_of
from stackctl.proxies.nginx.rates import uncounted
from stackctl.proxies.nginx.settings import settings
from stackctl.proxies.nginx.snippets import challenge, own_directives, own_snippets
from stackctl.proxies.proxy import Files, SiteTls
from stackctl.templates import render
from stackctl.wording import listed

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
    cas: Mapping[str, bytes] = MappingProxyType({}),
    files: Files = MappingProxyType({}),
) -> Files:
    """Return ``sites/DOMAIN.conf``; ``.redirect`` has its names that HTTP redirects.

    ``.custom`` and ``.location`` are copies of the user's own files: for its server, and for its ``location /``.
    ``cas`` are the files of root certificates by which its apps are verified. ``http`` has the user's directives around
    all servers, ``groups`` are the upstream groups next to the servers; ``files`` are all of the user's own.
    """
    able = Capabilities.of(version)
    own = [http, own_directives(custom, files), own_directives(location, files)]
    grouped = group_names(site)
    checks = Checks.of(site, grouped, able, keepalive := _idle_connections(stack))
    targets = targets_of(site, checks.chosen, able)
    locations = Locations.of(stack, site, targets, own_snippets(), own, includes=location is not None)
    access = locations.access
    blocks = list(locations.all())
    names = names_on_http(stack, site, tls)
    blocked, refusals = site_blocked(stack, site, locations.variables)
    answers = access.guarding(own_answers(site, locations.variables, own[1], locations.page_lines(), refusals))
    text = render(
        "nginx/site.conf.j2",
        name=site.name,
        file=site_file(site.name),
        own_names=any_of(site.domains),
        **front(stack, site),
        # nginx takes no comment of more than 4095 bytes.
        leads_to=listed([str(server) for server in site.servers]) or "answers of the proxy",
        groups=groups_of(grouped, able),
        keepalive=keepalive,
        certificates=tls.by_certificate(site) if stack.proxy.https else (),
        **_on_http(names),
        settings=[*settings(site, own, stores=needs_buffering((*own[1], *own[2]))), *locations.server_lines()],
        answers=answers,
        custom=custom is not None,
        protected=can_protect_http(own[1]) and not (site.clients and site.clients.required),
        client_lines=client_lines(stack, site),
        **_challenge(site, own[1], access),
        locations=[*blocks, answers.locations, access.locations()],
        maps=[*locations.maps(), *canary_maps(site, checks.chosen), *checks.maps, *answers.maps, *blocked],
        jump=locations.rules.jump if locations.rules else "",
    )
    around = Surroundings(site.name, groups, stack.proxy.hosts, resolves=able.upstream_resolve)
    completed = locations.edge.completed({"custom": custom, "location": location})
    copies, definitions = site_copies(around, completed, own)
    home = f"{SITES}/{site_file(site.name)}"
    found = {f"{home}.conf": (text + definitions).encode(), **checks.files, **cas}
    if names.to_https:
        found[f"{home}.redirect"] = render("nginx/redirect.j2", names=names.to_https).encode()
    return found | {f"{home}.{kind}": body for kind, body in copies.items()}


def _challenge(site: Site, own: Directives, access: AccessRules) -> dict[str, object]:
    """Return the location of challenges, if it is not that of all sites, and whether port 443 needs it too."""
    extra = [*dict.fromkeys((*challenge_lines(own), *access.page_lines())), *uncounted([site])]
    text = challenge(extra, indent=4) if extra else ""
    return {"challenge": text, "guarded": bool(access) and not has_challenge(own)}


def _on_http(names: NamesOnHttp) -> dict[str, object]:
    """Return the names on port 80, where aliases are redirected, and a regex for those that port 443 redirects."""
    aliases = names.aliases
    redirected = any_of(aliases.plain) if aliases.there else ""
    return {"http": names, "redirected": redirected, "canonical": f"{aliases.scheme or SCHEME}://{aliases.target}"}


def _idle_connections(stack: Stack) -> int:
    """Return how many of them each upstream group keeps: nginx reserves their memory, 6 KB for 32."""
    return 32 if len(stack.sites) <= MANY else 8
