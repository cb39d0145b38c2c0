"""Convert the conventions of nginx-proxy and acme-companion: environment variables, and files named after hosts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from stackctl.adopt.kept import KeptDirectives
from stackctl.adopt.kept_files import OldFiles
from stackctl.adopt.mapping import TUNING, tuning_of
from stackctl.adopt.nginx_conf import NginxConf, domain_or_none
from stackctl.adopt.proposal import Handling, Proposal, ProposedRoute, ProposedSite, Remark
from stackctl.adopt.settings import read_settings
from stackctl.adopt.sites import merged
from stackctl.adopt.virtual_paths import VirtualPath, route_remarks, second_service
from stackctl.model.backends import Server
from stackctl.model.matching import PathMatch
from stackctl.model.project import Project, Service
from stackctl.model.values import Domain
from stackctl.proxies.nginx.directives import Directive, kept_text
from stackctl.proxies.nginx.layout import NGINX

CERTS = f"{NGINX.mount}/certs"
VHOSTS = f"{NGINX.mount}/vhost.d"
_DONE = {"VIRTUAL_HOST", "VIRTUAL_PORT", "VIRTUAL_PATH", "VIRTUAL_DEST", "LETSENCRYPT_HOST", "LETSENCRYPT_EMAIL"}
_DONE |= {"CERT_NAME", "ACME_CA_URI", "LETSENCRYPT_TEST", "VIRTUAL_PROTO"}
_PREFIXES = ("VIRTUAL_", "LETSENCRYPT_", "ACME_", "HTTPS_METHOD", "HSTS", "NETWORK_ACCESS", "SSL_POLICY")


@dataclass(frozen=True, slots=True)
class ProxyContext:
    """What the variables refer to.

    Attributes:
        port_of: returns the port of a service without a variable for it.
        has_file: returns whether the old proxy has a file.
        vhosts: the directives in ``vhost.d``, by the name of the file.
    """

    port_of: Callable[[Service], int]
    has_file: Callable[[str], bool]
    vhosts: Mapping[str, tuple[Directive, ...]]


def read_variables(
    conf: NginxConf, project: Project, context: ProxyContext, *, resolves: bool, old: OldFiles | None = None
) -> Proposal:
    """Return the sites that nginx-proxy generates from the variables of the services."""
    conf = replace(conf, servers=())
    reading = _Reading(conf, context, KeptDirectives(conf, resolves=resolves, old=old))
    for service in project.services.values():
        reading.take(service)
    return reading.proposal()


def virtual_hosts(service: Service) -> list[str]:
    """Return the names in ``VIRTUAL_HOST``, patterns included."""
    return [text.strip() for text in service.environment.get("VIRTUAL_HOST", "").split(",") if text.strip()]


def contact_in(project: Project) -> str | None:
    """Return the e-mail address that acme-companion uses, or None."""
    for service in project.services.values():
        for key in ("LETSENCRYPT_EMAIL", "DEFAULT_EMAIL"):
            if service.environment.get(key):
                return service.environment[key]
    return None


class _Reading:
    def __init__(self, conf: NginxConf, context: ProxyContext, keeper: KeptDirectives) -> None:
        self.conf = conf
        self.context = context
        self.keeper = keeper
        self.sites: list[ProposedSite] = []
        self.paths: list[tuple[Domain, Directive, str]] = []
        self.routes: list[tuple[ProposedRoute, VirtualPath]] = []
        self.routed: set[tuple[tuple[Domain, ...], PathMatch]] = set()

    def take(self, service: Service) -> None:
        """Add the site, or the path of one, that a service's variables define."""
        hosts = virtual_hosts(service)
        at = f"service {service.name}"
        if service.environment.get("VIRTUAL_HOST_MULTIPORTS"):
            self._remark(
                Handling.UNSUPPORTED, "VIRTUAL_HOST_MULTIPORTS: several ports in one variable are not supported", at
            )
        for host in hosts:
            if domain_or_none(host) is None:
                self._remark(Handling.UNSUPPORTED, f"VIRTUAL_HOST {host}: the name of a site cannot be a pattern", at)
        domains = tuple(dict.fromkeys(name for host in hosts if (name := domain_or_none(host))))
        protocol = service.environment.get("VIRTUAL_PROTO") or "http"
        if not domains:
            return
        if protocol != "http":
            self._remark(Handling.UNSUPPORTED, f"{domains[0]}: VIRTUAL_PROTO {protocol} is not supported", at)
            return
        self._leftover(service, at)
        port = service.environment.get("VIRTUAL_PORT", "")
        server = Server.of(service.name, int(port) if port.isdigit() else self.context.port_of(service))
        path = VirtualPath.of(service)
        if path.text == "/":
            self._site(domains, server, service, at)
        elif path.match is not None:
            self.routes.append((ProposedRoute(domains, path.match, server, path.strip, at), path))
        else:
            self._path(domains, server, path, at)

    def _site(self, domains: tuple[Domain, ...], server: Server, service: Service, at: str) -> None:
        taken = {name for site in self.sites for name in site.domains}
        for name in taken & set(domains):
            self._remark(
                Handling.UNSUPPORTED, f"{name}: a second service has this name, but a site is routed to one service", at
            )
        domains = tuple(name for name in domains if name not in taken)
        if not domains:
            return
        certificate = self._certificate(domains, service.environment.get("CERT_NAME"))
        custom = [one for name in domains[:1] for one in self._vhost(name)]
        location = [one for name in domains[:1] for one in self._vhost(f"{name}_location")]
        tuning = dict(filter(None, map(tuning_of, (*custom, *location))))
        keys = [one for one in custom if one.name not in TUNING or tuning_of(one) is None]
        inner = [one for one in location if one.name not in TUNING or tuning_of(one) is None]
        for one in (*keys, *inner):
            self._remark(Handling.KEPT, one.head, one.at)
        self.sites.append(
            ProposedSite(
                domains=domains,
                server=server,
                at=at,
                imported=f"{CERTS}/{certificate}.crt" if certificate else None,
                imported_key=f"{CERTS}/{certificate}.key" if certificate else None,
                tuning=tuning,
                custom=kept_text(self.keeper.keep(keys)),
                location=kept_text(self.keeper.keep(inner)),
            )
        )

    def _vhost(self, name: str) -> tuple[Directive, ...]:
        return tuple(one for one in self.context.vhosts.get(name, ()) if one.name != "#")

    def _path(self, domains: tuple[Domain, ...], server: Server, path: VirtualPath, at: str) -> None:
        """Add a location with its own upstream to a site."""
        passed = Directive("proxy_pass", (f"http://{server}{path.rest}",), at)
        headers = Directive("include", ("snippets/proxy.conf",), at)
        for name in domains:
            self.paths.append((name, Directive("location", (path.text,), at, (headers, passed)), at))

    def _certificate(self, domains: tuple[Domain, ...], named: str | None) -> str | None:
        """Return the certificate nginx-proxy serves: a named one, the host's own, or that of a parent name."""
        parents = (".".join(domains[0].split(".")[start:]) for start in range(len(domains[0].split(".")) - 1))
        for name in (named, *parents):
            if name and self.context.has_file(f"{CERTS}/{name}.crt") and self.context.has_file(f"{CERTS}/{name}.key"):
                return name
        return None

    def _leftover(self, service: Service, at: str) -> None:
        for key, value in sorted(service.environment.items()):
            if key.startswith(_PREFIXES) and key not in _DONE:
                self._remark(Handling.CHANGED, f"{key}={value} no longer has an effect", at)

    def proposal(self) -> Proposal:
        """Return the sites, each with its paths."""
        for name, location, at in self.paths:
            site = next((one for one in self.sites if name in one.domains), None)
            if site is None:
                self._remark(Handling.UNSUPPORTED, f"{name}{location.arg}: no service has {name} without a path", at)
                continue
            passed = self.keeper.keep(location.inner[1:])
            kept = location.with_block((location.inner[0], *passed))
            text = f"{site.custom}\n{kept_text([kept])}".lstrip("\n")
            if kept_text([kept]) not in site.custom:
                self.sites[self.sites.index(site)] = replace(site, custom=text)
                self._remark(Handling.KEPT, f"{name}{location.arg}, as a location", at)
        routes = [one for route, path in self.routes for one in self._routes(route, path)]
        tuning, http = read_settings(self.conf, self.keeper)
        return Proposal(
            routes=tuple(routes),
            sites=tuple(replace(site, tuning=merged(site.tuning, tuning)) for site in self.sites),
            tuning=tuning,
            http="\n".join(part for part in (http, self.keeper.groups()) if part),
            copies=self.keeper.files.copies,
            folders=self.keeper.files.folders,
            remarks=tuple(self.keeper.remarks),
        )

    def _routes(self, route: ProposedRoute, path: VirtualPath) -> Iterator[ProposedRoute]:
        """Yield a route for each site whose names it has."""
        for site in self.sites:
            names = tuple(name for name in route.domains if name in site.domains)
            if names and (site.domains, route.path) in self.routed:
                self._remark(Handling.UNSUPPORTED, second_service(names[0], path), route.at)
                continue
            if names:
                self.routed.add((site.domains, route.path))
                yield replace(route, domains=names)
                self.keeper.remarks += route_remarks(names[0], path, (), route.at)
            for name in site.domains if names else ():
                if name not in names:
                    text = f"{name}{path.text} is answered by {route.server} too: a path is for all names of a site"
                    self._remark(Handling.CHANGED, text, route.at)
        taken = {name for site in self.sites for name in site.domains}
        for name in route.domains:
            if name not in taken:
                text = f"{name}{path.text}: no service has {name} without a path"
                self._remark(Handling.UNSUPPORTED, text, route.at)

    def _remark(self, handling: Handling, text: str, at: str) -> None:
        self.keeper.remarks.append(Remark(handling, text, at))
