"""Redirects between sites of one stack: a name without a certificate is reached over HTTP until it has one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from stackctl.model.routing import Redirect, Route, Site
from stackctl.model.stack import ProxyService, Stack
from stackctl.model.values import Domain
from stackctl.proxies.proxy import SiteTls


def with_reached_redirects(
    stack: Stack, sites: Collection[Site], tls: Mapping[Domain, SiteTls]
) -> tuple[Stack, Collection[Site]]:
    """Return the stack and ``sites`` with redirects over HTTP to names that no certificate covers yet."""
    waiting = {
        name for site in stack.sites for name in site.domains if site.name in tls and name not in tls[site.name].trusted
    }
    if not waiting or stack.proxy.https is None:
        return stack, sites
    changed = {site: _reached(site, waiting, stack.proxy) for site in {*stack.sites, *sites} if redirects_of(site)}
    unknown = stack.unknown
    if unknown.redirect is not None:
        unknown = replace(unknown, redirect=_over_http(unknown.redirect, waiting, stack.proxy))
    every = tuple(changed.get(site, site) for site in stack.sites)
    return replace(stack, sites=every, unknown=unknown), [changed.get(site, site) for site in sites]


def redirects_of(site: Site) -> list[Redirect]:
    """Return the redirects of a site's routes."""
    return [route.action for route in site.routes if isinstance(route.action, Redirect)]


def leads_to(site: Site, owners: Mapping[Domain, Domain]) -> frozenset[Domain]:
    """Return the sites to which a site redirects; ``owners`` has the site of each name that counts."""
    hosts = {Domain(urlsplit(redirect.to).hostname or "") for redirect in redirects_of(site)}
    return frozenset(owners[host] for host in hosts & owners.keys())


def _reached(site: Site, waiting: Collection[str], proxy: ProxyService) -> Site:
    return replace(site, routes=tuple(_route(route, waiting, proxy) for route in site.routes))


def _route(route: Route, waiting: Collection[str], proxy: ProxyService) -> Route:
    if not isinstance(route.action, Redirect):
        return route
    return replace(route, action=_over_http(route.action, waiting, proxy))


def _over_http(redirect: Redirect, waiting: Collection[str], proxy: ProxyService) -> Redirect:
    parts = urlsplit(redirect.to)
    https = proxy.for_visitors
    published = {None, https.port, https.at.port}
    if parts.scheme != "https" or parts.hostname not in waiting or parts.port not in published:
        return redirect
    port = "" if proxy.http.at.port == proxy.http.port else f":{proxy.http.at.port}"
    return replace(redirect, to=f"http://{parts.hostname}{port}{redirect.to.removeprefix(f'https://{parts.netloc}')}")
