"""Convert an nginx configuration to a proposal: each server becomes a site, an alias, or a kept server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from stackctl.adopt.conflicts import without_conflicts
from stackctl.adopt.kept import KeptDirectives
from stackctl.adopt.kept_files import OldFiles
from stackctl.adopt.kept_servers import KeptServer, server_text
from stackctl.adopt.nginx_conf import UNNAMED, NginxConf, ServerBlock, serves_challenges
from stackctl.adopt.proposal import Handling, Proposal, ProposedSite, Remark
from stackctl.adopt.redirects import Redirect, redirect_of
from stackctl.adopt.server_kinds import into_location, is_complex, refusal_status, refuses_unknown_names
from stackctl.adopt.settings import read_settings
from stackctl.adopt.sites import NotASite, SiteReader, merged
from stackctl.adopt.unnamed import with_names
from stackctl.certs.lineage import Certificate
from stackctl.model.endpoints import HTTP_PORT, HTTPS_PORT
from stackctl.model.project import Project
from stackctl.model.values import Domain
from stackctl.proxies.nginx.directives import Directive, kept_text


def read_proposal(
    conf: NginxConf,
    project: Project,
    certificates: Mapping[str, Certificate],
    *,
    resolves: bool,
    old: OldFiles | None = None,
) -> Proposal:
    """Return the proposal for ``conf``; ``certificates`` are certbot's, by lineage."""
    return _Reading(conf, project, certificates, KeptDirectives(conf, resolves=resolves, old=old)).proposal()


class _Reading:
    def __init__(
        self, conf: NginxConf, project: Project, certificates: Mapping[str, Certificate], keeper: KeptDirectives
    ) -> None:
        servers, ignored = without_conflicts(conf.servers)
        conf, unnamed = with_names(replace(conf, servers=servers), certificates)
        self.conf = conf
        self.unnamed = unnamed
        self.ignored = ignored
        self.certificates = certificates
        self.keeper = keeper
        self.reader = SiteReader(conf, project, self.keeper)
        self.sites: list[ProposedSite] = []
        self.kept: list[KeptServer] = []

    def proposal(self) -> Proposal:
        """Convert sites first, then the servers whose names may belong to them."""
        http_redirects: list[tuple[ServerBlock, list[Redirect]]] = []
        tls_redirects: list[tuple[ServerBlock, list[Redirect]]] = []
        plain: list[ServerBlock] = []
        for server, name in self.ignored:
            text = f"a second server for {name}, which nginx ignores for that name"
            self._remark(Handling.REPLACED, text, server.at)
        for server, names in self.unnamed:
            text = f"the server without a name is adopted for the names of its certificate: {', '.join(names)}"
            self._remark(Handling.CHANGED, text, server.at)
        for server in self.conf.servers:
            found = redirect_of(server.body)
            if refuses_unknown_names(server):
                text = "the server for unknown names: replaced by stackctl's own, which refuses them"
                self._remark(Handling.REPLACED, text, server.at)
            elif found and not server.unsupported_listen:
                (tls_redirects if server.tls else http_redirects).append((server, found))
            elif server.tls:
                self._take(server)
            else:
                plain.append(server)
        for server, found in tls_redirects:
            self._take_tls_redirect(server, found)
        for server in plain:
            self._take_plain(server)
        for server, found in http_redirects:
            self._take_http_redirect(server, found)
        self._keep_default_redirect()
        self._add_certificate_names()
        self._remark_unknown_names()
        return self._result()

    # Servers

    def _take(self, server: ServerBlock) -> None:
        """Convert a server with TLS to a site, or keep it."""
        read = self.reader.read(server)
        if isinstance(read, ProposedSite):
            self.sites.append(read)
            self._remark_unsupported_names(server)
            if server.plain:
                self._remark(Handling.CHANGED, f"http://{read.name} is now redirected to HTTPS", server.at)
        else:
            self.kept.append(KeptServer(server, read.reason))

    def _take_plain(self, server: ServerBlock) -> None:
        """Convert a server without TLS: a site without a certificate, or the HTTP part of a site with TLS."""
        if server.unsupported_listen:
            self.kept.append(KeptServer(server, server.unsupported_listen))
            return
        taken = {name for site in self.sites for name in site.domains}
        others = tuple(name for name in server.domains if name not in taken)
        if server.domains and not others:
            self._remark(Handling.CHANGED, f"http://{server.domains[0]} is now redirected to HTTPS", server.at)
            for one in server.body:
                if one.name == "location" and one.args != ("/",) and not serves_challenges(one):
                    self._remark(
                        Handling.UNSUPPORTED, f"{one.head}: HTTP is redirected to HTTPS for the whole site", one.at
                    )
            patterns = tuple(name for name in server.unsupported_names if name not in UNNAMED)
            if patterns:
                self.kept.append(KeptServer(replace(server, names=patterns), "its name is a pattern"))
            return
        if not server.domains and set(server.names) <= UNNAMED and self._answers_for_sites(server):
            return
        if is_complex(server):
            self.kept.append(KeptServer(server, "it has no certificate yet, and more than a single 'location /'"))
            return
        read = self.reader.read(into_location(replace(server, names=(*others, *server.unsupported_names))))
        if isinstance(read, NotASite):
            self.kept.append(KeptServer(server, read.reason))
        else:
            self.sites.append(read)
            self._remark_unsupported_names(server)

    def _answers_for_sites(self, server: ServerBlock) -> bool:
        """Whether a server without a name answers over HTTP for sites with TLS, which are redirected from now on."""
        if server != self.conf.default(HTTP_PORT):
            return False
        names = [site.name for site in self.sites if self.conf.named_at(site.name, HTTP_PORT) is None]
        if names:
            self._remark(Handling.CHANGED, f"http://{names[0]} is now redirected to HTTPS", server.at)
            self._remark(Handling.CHANGED, "unknown names were answered over http, and are now refused", server.at)
        return bool(names)

    def _remark_unsupported_names(self, server: ServerBlock) -> None:
        for name in server.unsupported_names:
            if name not in UNNAMED:
                self._remark(
                    Handling.UNSUPPORTED,
                    f"server_name {name}: the name of a site cannot be a pattern or an address",
                    server.at,
                )

    # Redirects

    def _take_tls_redirect(self, server: ServerBlock, found: Sequence[Redirect]) -> None:
        """Convert a server with TLS that only redirects, such as www to the bare name."""
        left = tuple(name for name in server.domains if not self._made_alias(name, found))
        if left or server.unsupported_names:
            kept = replace(server, names=(*left, *server.unsupported_names))
            self.kept.append(KeptServer(kept, "it redirects, and the certificate of its target does not cover it"))

    def _made_alias(self, name: Domain, found: Sequence[Redirect]) -> bool:
        """Make a name an alias of the site that it redirects to, if its certificate covers the name."""
        site = self._site_of(found[0].host or "")
        certificate = self.certificates.get(site.lineage or "") if site else None
        if site is None or certificate is None or name in site.domains or not certificate.covers(name):
            return False
        answers = self.conf.named_at(name, HTTPS_PORT)
        if answers is not None and redirect_of(answers.body) is None:
            return False  # another server answers for it over HTTPS
        redirect = Directive("return", ("301", found[0].url), found[0].at)
        condition = Directive("if", ("$host", "=", name), found[0].at, (redirect,))
        custom = f"{site.custom}\n{kept_text([condition])}".lstrip("\n")
        self.sites[self.sites.index(site)] = replace(site, domains=(*site.domains, name), custom=custom)
        self._remark(Handling.KEPT, f"{name} redirects to {site.name}", found[0].at)
        return True

    def _take_http_redirect(self, server: ServerBlock, found: Sequence[Redirect]) -> None:
        """Convert a server on port 80 that redirects: stackctl redirects every name with a certificate."""
        left = [name for name in server.domains if not self._site_of(name)]
        patterns = [name for name in server.unsupported_names if name not in UNNAMED]
        elsewhere = [one for one in found if one.host is not None and one.host not in server.names]
        if elsewhere:
            # A name of a site is redirected to its own HTTPS address first: the same target after one more redirect.
            for name in server.domains:
                if name not in left and (site := self._site_of(name)) and elsewhere[0].host not in site.domains:
                    self._remark(
                        Handling.CHANGED,
                        f"http://{name} is now redirected to https://{name}, not to {elsewhere[0].url}",
                        server.at,
                    )
        unrouted: list[str] = [*patterns]
        for name in left:
            if found[0].host is not None and self._made_alias(name, found):
                continue
            site = None if found[0].host is not None else self._covering(name)
            if site is not None:
                self._alias(site, name)
            else:
                unrouted.append(name)
        if unrouted:
            self.kept.append(KeptServer(replace(server, names=tuple(unrouted)), "it redirects names without a site"))

    def _keep_default_redirect(self) -> None:
        """Keep the redirect of the old default server on port 80 for names of kept servers."""
        default = self.conf.default(HTTP_PORT)
        if default is None or default.unsupported_listen or not redirect_of(default.body):
            return
        there = [one for one in self.conf.servers if any(listen.port == HTTP_PORT for listen in one.listens)]
        named_there = {name for server in there for name in server.names}
        secure = [one.server for one in self.kept if any(listen.port == HTTPS_PORT for listen in one.server.listens)]
        names = dict.fromkeys(name for server in secure for name in server.names if name not in UNNAMED)
        left = [name for name in names if name not in named_there and not self._site_of(name)]
        if left:
            self.kept.append(KeptServer(replace(default, names=tuple(left)), "it redirects names without a site"))

    def _covering(self, name: Domain) -> ProposedSite | None:
        """Return the default site on port 443 if its certificate covers ``name``, or None."""
        default = self.conf.default(HTTPS_PORT)
        if self.conf.named_at(name, HTTPS_PORT) is not None:
            return None  # it belongs to the server that answers for it
        for site in self.sites:
            certificate = self.certificates.get(site.lineage or "")
            if certificate is not None and certificate.covers(name) and default is not None and site.at == default.at:
                return site
        return None

    def _add_certificate_names(self) -> None:
        """Make names that only a certificate has aliases of the default server's site, which answered for them."""
        for lineage, certificate in self.certificates.items():
            for text in certificate.names:
                default = self.conf.default(HTTPS_PORT)
                site = next((one for one in self.sites if one.lineage == lineage), None)
                if text.startswith("*.") or site is None or self._site_of(Domain(text)):
                    continue
                if any(self.conf.named_at(text, port) for port in (HTTP_PORT, HTTPS_PORT)):
                    continue
                if default is not None and default.at == site.at:
                    self._alias(site, Domain(text))

    def _alias(self, site: ProposedSite, name: Domain) -> None:
        self.sites[self.sites.index(site)] = replace(site, domains=(*site.domains, name))

    def _site_of(self, name: str) -> ProposedSite | None:
        return next((site for site in self.sites if name in site.domains), None)

    # The result

    def _remark_unknown_names(self) -> None:
        """Remark that unknown names, which got an answer, are now refused."""
        for port in (HTTP_PORT, HTTPS_PORT):
            default = self.conf.default(port)
            if default is None or default.unsupported_listen:
                continue
            scheme = "https" if port == HTTPS_PORT else "http"
            if refuses_unknown_names(default) or _is_left_by_redirects(default):
                status = refusal_status(default, tls=port == HTTPS_PORT)
                if status is None:
                    continue
                text = f"unknown names were answered with {status} over {scheme}, and now get no answer"
            elif redirect_of(default.body):
                text = f"unknown names were redirected over {scheme}, and are now refused"
            elif default.domains:
                text = f"unknown names were answered by {default.domains[0]} over {scheme}, and are now refused"
            elif set(default.names) - UNNAMED:
                text = f"unknown names were answered by {default.names[0]} over {scheme}, and are now refused"
            else:
                continue
            self._remark(Handling.CHANGED, text, default.at)

    def _result(self) -> Proposal:
        taken = {name for site in self.sites for name in site.domains}
        servers = [text for one in self.kept if (text := server_text(one, taken, self.keeper))]
        tuning, http = read_settings(self.conf, self.keeper)
        sites = [replace(site, tuning=merged(site.tuning, tuning)) for site in self.sites]
        parts = [part for part in (http, self.keeper.groups(), *servers) if part]
        return Proposal(
            sites=tuple(sites),
            tuning=tuning,
            http="\n".join(parts),
            copies=self.keeper.files.copies,
            folders=self.keeper.files.folders,
            remarks=tuple(self.keeper.remarks),
        )

    def _remark(self, handling: Handling, text: str, at: str) -> None:
        self.keeper.remarks.append(Remark(handling, text, at))


def _is_left_by_redirects(server: ServerBlock) -> bool:
    """Whether it redirects only its own names, by conditions, as certbot's plugin writes it."""
    return bool(redirect_of(server.body)) and any(one.name == "return" and len(one.args) == 1 for one in server.body)
