"""The proxy's files: which ones change, before certificates are issued and after."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from stackctl.certs.copied import Pair
from stackctl.certs.held import held
from stackctl.certs.request import CertificateRequest
from stackctl.certs.source import CertificateSource, source_of
from stackctl.model.backends import Backend, Server
from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.model.values import Domain, ServiceName
from stackctl.observed.state import Observed
from stackctl.plan.certificates import second_scope
from stackctl.plan.operations import Publish, SharedWithout, StageFiles
from stackctl.proxies.proxy import Files, Proxy, SiteTls
from stackctl.proxies.redirects import leads_to
from stackctl.proxies.sites import Rendering, issued_tls, site_tls
from stackctl.wording import listed


class ProxyFiles:
    """The files of a stack, as they are live and as they should be."""

    def __init__(
        self, stack: Stack, observed: Observed, rendering: Rendering, sources: Mapping[str, CertificateSource]
    ) -> None:
        self._stack = stack
        self._observed = observed
        self._rendering = rendering
        self._sources = sources
        self._live = _by_site(observed.live, rendering.proxy)
        self._current = {site.name: site_tls(site, held(site, observed.shelf)) for site in stack.sites}
        self.live_sites = rendering.proxy.sites_in(observed.live)
        self._parked = rendering.proxy.parked(observed.live)

    def gone(self) -> list[Domain]:
        """Return the live sites and streams that the stack no longer has; the name of a site may be an alias now."""
        wanted = {site.name for site in self._stack.sites} | {stream.name for stream in self._stack.streams}
        there = {name for name in self._live if name is not None}
        return sorted((self.live_sites | there) - wanted)

    def rerouted(self, sites: Collection[Site]) -> dict[Server, bool]:
        """Return the services' servers of which the live files of their site do not have host and port.

        Each with whether it would take requests of a live site that another server gets now.
        """
        found: dict[Server, bool] = {}
        for site in sites:
            new = [one for one in site.servers if one.service is not None and not self._has(site, one)]
            for server in new:
                found[server] = found.get(server, False) or self._displaces(site, server)
        return found

    def _displaces(self, site: Site, server: Server) -> bool:
        """Return whether a new server of a live site is a canary, or replaces one that the site no longer has."""
        if site.name not in self.live_sites:
            return False
        canaries = (route.action.canary for route in site.routes if isinstance(route.action, Backend))
        if any(canary is not None and canary.server == server for canary in canaries):
            return True
        wanted = {(one.service, one.endpoint.port) for one in site.servers}
        services = self._observed.project.services
        return any(host in services and (host, port) not in wanted for host, port in self._endpoints(site))

    def ports_before(self, sites: Collection[Site], service: ServiceName) -> dict[int, int] | None:
        """Return the new ports of a service, each with that of the live files; None if these do not show it."""
        found: dict[int, int] = {}
        for site in sites:
            servers = [server.endpoint for server in site.servers if server.service == service]
            hosts, wanted = {one.host for one in servers}, {one.port for one in servers}
            there = {port for host, port in self._endpoints(site) if host in hosts}
            new, old = wanted - there, there - wanted
            if not new:
                continue
            if len(new) > 1 or len(old) != 1 or found.setdefault(*new, *old) not in old:
                return None
        return found

    def _endpoints(self, site: Site) -> set[tuple[str, int]]:
        """Return the hosts in the live files of a site, each with a port."""
        text = b"\n".join(self._live.get(site.name, {}).values())
        return {(host.decode(), int(port)) for host, port in re.findall(rb"(?<![\w.-])([\w.-]+):(\d+)\b", text)}

    def users(self, service: str) -> frozenset[Domain]:
        """Return the sites whose live files name ``service``."""
        return frozenset(name for name in self.live_sites if _names(self._about(name), service))

    def _about(self, name: Domain) -> Files:
        """Return the live files of a site, and what those that all sites share have about it."""
        return {**self._live.get(name, {}), **self._rendering.proxy.about(self._live.get(None, {}), name)}

    def _cause(self, name: Domain) -> str:
        if name in self._parked:
            return f"{name} is parked"
        return f"{name} changed" if name in self.live_sites else f"{name} is new"

    def _has(self, site: Site, server: Server) -> bool:
        # The files of its own come first: to find the lines of shared ones takes longer.
        own = self._live.get(site.name, {})
        return _mentions(own, server) or _mentions(self._about(site.name), server)

    def stage(self, sites: Collection[Site], needs_one: frozenset[str] = frozenset()) -> Iterator[StageFiles | Publish]:
        """Stage and publish what differs from the live files, of ``sites`` and of all together.

        Those of all together change only if one of ``needs_one`` has not failed.
        """
        live = self._observed.live
        staged = False
        wanted = self._rendering.render(self._stack, sites, self._tls({}))
        files, surplus = _difference(wanted.shared, self._live.get(None, {}))
        if files or surplus:
            staged = True
            cause, without = _cause(live, surplus), self._without({})
            yield StageFiles(files=files, leave_out=surplus, cause=cause, without=without, needs_one=needs_one)
        for site in sites:
            files, surplus = _difference(wanted.sites[site.name], self._live.get(site.name, {}))
            if files or surplus:
                staged = True
                cause = self._cause(site.name)
                yield StageFiles(files=files, leave_out=surplus, cause=cause, scope=site.name)
        for stream in self._stack.streams:
            files, surplus = _difference(wanted.streams[stream.name], self._live.get(stream.name, {}))
            if files or surplus:
                staged = True
                cause = self._cause(stream.name)
                yield StageFiles(files=files, leave_out=surplus, cause=cause, scope=stream.name)
        for name in self.gone():
            paths = tuple(sorted(self._live.get(name, {})))
            if paths:
                staged = True
                yield StageFiles(files={}, leave_out=paths, cause=f"{name} is no longer routed")
        if staged:
            yield Publish(cause="the proxy's files change")

    def switch(
        self, issued: Mapping[Site, CertificateRequest], seconds: Mapping[Site, CertificateRequest]
    ) -> Iterator[StageFiles | Publish]:
        """Stage and publish what changes once the certificates of sites are issued, each by its request.

        ``seconds`` are second certificates beside those: a site is switched to its first one if the second one fails.
        """
        owners = {name: site.name for site in issued for name in site.domains}
        targets = {site: leads_to(site, owners) for site in self._stack.sites}
        leading = [site for site, found in targets.items() if found]
        sites = list(dict.fromkeys([*issued, *leading, *seconds]))
        before = self._rendering.render(self._stack, sites, self._tls({}))
        wanted = self._rendering.render(self._stack, sites, self._tls(issued))
        # Redirects to a site change only once that site has its certificate, which may fail.
        first = self._rendering.render(self._stack, sites, self._tls(issued), self._tls({})) if leading else wanted
        for site in issued:
            files, surplus = _difference(first.sites[site.name], before.sites[site.name])
            if files or surplus:
                yield StageFiles(files=files, leave_out=surplus, cause="its certificate is issued", scope=site.name)
        for site in leading:
            # What is staged last for a site is all that is staged for it.
            files, surplus = _difference(wanted.sites[site.name], before.sites[site.name])
            if wanted.sites[site.name] != first.sites[site.name]:
                cause = f"{listed(sorted(targets[site]))} has its certificate now"
                yield StageFiles(
                    files=files, leave_out=surplus, cause=cause, scope=site.name, needs_all=frozenset(targets[site])
                )
        both = self._rendering.render(self._stack, sites, self._tls(issued, seconds)) if seconds else wanted
        for site in seconds:
            files, surplus = _difference(both.sites[site.name], before.sites[site.name])
            if both.sites[site.name] != wanted.sites[site.name]:
                needed = frozenset({second_scope(site.name), *targets[site]})
                cause = "its second certificate is issued"
                yield StageFiles(files=files, leave_out=surplus, cause=cause, scope=site.name, needs_all=needed)
        files, surplus = _difference(both.shared, before.shared)
        cause = "certificates were issued"
        if files or surplus:
            yield StageFiles(files=files, leave_out=surplus, cause=cause, without=self._without(issued, seconds))
        if both != before:
            yield Publish(cause=cause)

    def _without(
        self, issued: Mapping[Site, CertificateRequest], seconds: Mapping[Site, CertificateRequest] | None = None
    ) -> SharedWithout:
        """Return what renders the shared files where some sites failed, or second certificates by their scopes.

        A new site that failed is left out of them, and one that is live keeps the certificates it has.
        """

        def without(failed: Collection[Domain], live: Files) -> Files:
            serving = self._rendering.proxy.sites_in(live)
            sites = tuple(site for site in self._stack.sites if site.name not in failed or site.name in serving)
            tls = self._tls(
                {site: request for site, request in issued.items() if site.name not in failed},
                {
                    site: request
                    for site, request in (seconds or {}).items()
                    if not {site.name, second_scope(site.name)} & {*failed}
                },
            )
            return self._rendering.render(replace(self._stack, sites=sites), (), tls).shared

        return without

    def _tls(
        self, issued: Mapping[Site, CertificateRequest], seconds: Mapping[Site, CertificateRequest] | None = None
    ) -> dict[Domain, SiteTls]:
        """Return the certificates of every site: the current ones, or the issued ones."""
        found = self._current | {
            site.name: replace(issued_tls(site, self._pair(site, request)), second=self._current[site.name].second)
            for site, request in issued.items()
        }
        for site, request in (seconds or {}).items():
            pair = self._pair(site, request)
            found[site.name] = replace(found[site.name], second=(pair.chain, pair.key))
        return found

    def _pair(self, site: Site, request: CertificateRequest) -> Pair:
        return source_of(self._sources, self._stack, site).pair(site, request)


def _mentions(files: Files, server: Server) -> bool:
    """Return whether host and port are in the text; each proxy writes an endpoint in its own form."""
    text = b"\n".join(files.values())
    return all(_has_word(text, part) for part in (server.endpoint.host, str(server.endpoint.port)))


def _names(files: Files, host: str) -> bool:
    return _has_word(b"\n".join(files.values()), host)


def _has_word(text: bytes, word: str) -> bool:
    return re.search(rb"(?<![\w.-])" + re.escape(word.encode()) + rb"(?![\w-])", text) is not None


def _by_site(live: Files, proxy: Proxy) -> dict[Domain | None, dict[str, bytes]]:
    """Return the live files of each site; those that all sites share are under None."""
    sites: dict[Domain | None, dict[str, bytes]] = {}
    for path, body in live.items():
        sites.setdefault(proxy.site_of(path), {})[path] = body
    return sites


def _difference(wanted: Files, live: Files) -> tuple[Files, tuple[str, ...]]:
    """Return the files to write, and the paths to leave out."""
    changed = {path: body for path, body in wanted.items() if live.get(path) != body}
    return changed, tuple(sorted(set(live) - set(wanted)))


def _cause(live: Files, surplus: tuple[str, ...]) -> str:
    if not live:
        return "missing"
    return "no longer wanted" if surplus else "settings of all sites changed"
