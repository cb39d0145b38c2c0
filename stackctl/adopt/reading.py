"""A whole nginx configuration to a proposal: which servers become sites, and what becomes of the others."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from stackctl.adopt.kept import Keeper
from stackctl.adopt.kept_servers import KeptServer, server_text
from stackctl.adopt.nginx_conf import NginxConf, Redirect, ServerBlock, is_challenge, redirect_of
from stackctl.adopt.proposal import Fate, Proposal, ProposedSite, Remark
from stackctl.adopt.settings import read_settings
from stackctl.adopt.sites import NoSite, SiteReader, merged
from stackctl.certs.lineage import Certificate
from stackctl.model.endpoints import HTTP_PORT, HTTPS_PORT
from stackctl.model.project import Project
from stackctl.model.values import Domain
from stackctl.proxies.nginx.directives import Directive, kept_text, named


def read_proposal(
    conf: NginxConf, project: Project, certificates: Mapping[str, Certificate], *, resolves: bool
) -> Proposal:
    """What ``conf`` would be as a stack; ``certificates`` are certbot's, by lineage."""
    return _Reading(conf, project, certificates, resolves=resolves).proposal()


class _Reading:
    def __init__(
        self, conf: NginxConf, project: Project, certificates: Mapping[str, Certificate], *, resolves: bool
    ) -> None:
        self.conf = conf
        self.certificates = certificates
        self.keeper = Keeper(conf, resolves=resolves)
        self.reader = SiteReader(conf, project, self.keeper)
        self.sites: list[ProposedSite] = []
        self.kept: list[KeptServer] = []

    def proposal(self) -> Proposal:
        """Sites first, then what has to give way to them."""
        redirects: list[tuple[ServerBlock, list[Redirect]]] = []
        away: list[tuple[ServerBlock, list[Redirect]]] = []
        plain: list[ServerBlock] = []
        for server in self.conf.servers:
            found = redirect_of(server.body)
            if self._is_nobodys(server):
                self._remark_nobodys(server)
            elif found and not server.oddity:
                (away if server.tls else redirects).append((server, found))
            elif server.tls:
                self._take(server)
            else:
                plain.append(server)
        for server, found in away:
            self._sent_away(server, found)
        for server in plain:
            self._take_plain(server)
        for server, found in redirects:
            self._redirected(server, found)
        self._redirected_unnamed()
        self._cover()
        self._strangers()
        return self._finished()

    # Servers

    def _take(self, server: ServerBlock) -> None:
        """A server with TLS: a site, or kept."""
        if server.oddity is None:  # on another port, or a socket, it is no second one
            taken = {name for site in self.sites for name in site.domains}
            again = [name for name in server.names if name in taken]
            left = tuple(name for name in server.names if name not in taken)
            if again:
                shown = f"a second server for {', '.join(again)}, which nginx never used for that"
                self._remark(Fate.REPLACED, shown, server.at)
                if not left:
                    return
            server = replace(server, names=left)
        read = self.reader.read(server)
        if isinstance(read, ProposedSite):
            self.sites.append(read)
            self._odd(server)
            if server.plain:
                self._remark(Fate.CHANGED, f"http://{read.name} is redirected to HTTPS now", server.at)
        else:
            self.kept.append(KeptServer(server, read.reason))

    def _take_plain(self, server: ServerBlock) -> None:
        """A server without TLS: a site that has no certificate yet, or one half of a site that has."""
        if server.oddity:
            self.kept.append(KeptServer(server, server.oddity))
            return
        known = {name for site in self.sites for name in site.domains}
        others = tuple(name for name in server.domains if name not in known)
        if server.domains and not others:
            self._remark(Fate.CHANGED, f"http://{server.domains[0]} is redirected to HTTPS now", server.at)
            for one in server.body:
                if one.name == "location" and one.args != ("/",) and not is_challenge(one):
                    self._remark(Fate.LOST, f"{one.head}: HTTP is redirected to HTTPS for all of the site", one.at)
            return
        if _has_more(server):
            self.kept.append(KeptServer(server, "it has no certificate yet, and more to it than 'location /'"))
            return
        read = self.reader.read(_inside(replace(server, names=(*others, *server.odd_names))))
        if isinstance(read, NoSite):
            self.kept.append(KeptServer(server, read.reason))
        else:
            self.sites.append(read)
            self._odd(server)

    def _odd(self, server: ServerBlock) -> None:
        for name in server.odd_names:
            if name and name not in {"_", "localhost"}:
                self._remark(Fate.LOST, f"server_name {name}: a site has no patterns and no addresses", server.at)

    def _is_nobodys(self, server: ServerBlock) -> bool:
        """Whether it only sends away whom nobody expects: stackctl does that too."""
        default = any(server.is_default(port) for port in (HTTP_PORT, HTTPS_PORT))
        if server.domains or not (default or set(server.names) <= {"_", ""}) or server.oddity:
            return False
        rest = [one for one in server.body if not is_challenge(one) and one.name not in _QUIET]
        return all(_sends_away(one) for one in rest)

    def _remark_nobodys(self, server: ServerBlock) -> None:
        self._remark(Fate.REPLACED, "the server for unknown names: by stackctl's own, which refuses them", server.at)

    # Redirects

    def _sent_away(self, server: ServerBlock, found: Sequence[Redirect]) -> None:
        """A server with TLS that only redirects, such as www to the bare name."""
        left = tuple(name for name in server.domains if not self._folded(name, found))
        if left or server.odd_names:
            kept = replace(server, names=(*left, *server.odd_names))
            self.kept.append(KeptServer(kept, "it redirects, and the certificate of where it leads is not for it"))

    def _folded(self, name: Domain, found: Sequence[Redirect]) -> bool:
        """Whether a name became an alias of the site that it redirects to, with the same redirect."""
        site = self._site_of(found[0].host or "")
        certificate = self.certificates.get(site.lineage or "") if site else None
        if site is None or certificate is None or name in site.domains or not certificate.covers(name):
            return False
        sends = Directive("return", ("301", found[0].url), found[0].at)
        condition = Directive("if", ("$host", "=", name), found[0].at, (sends,))
        custom = f"{site.custom}\n{kept_text([condition])}".lstrip("\n")
        self.sites[self.sites.index(site)] = replace(site, domains=(*site.domains, name), custom=custom)
        self._remark(Fate.KEPT, f"{name} redirects to {site.name}", found[0].at)
        return True

    def _redirected(self, server: ServerBlock, found: Sequence[Redirect]) -> None:
        """A server on port 80 that redirects: stackctl does it for every name with a certificate."""
        left = [name for name in server.domains if not self._site_of(name)]
        elsewhere = [one for one in found if one.host is not None and one.host not in server.names]
        if elsewhere:
            # Names that a site has are redirected to themselves first: the same place after one more step.
            for name in server.domains:
                if name not in left and (site := self._site_of(name)) and elsewhere[0].host not in site.domains:
                    self._remark(
                        Fate.CHANGED, f"http://{name} is redirected to itself, not to {elsewhere[0].url}", server.at
                    )
        still: list[Domain] = []
        for name in left:
            if found[0].host is not None and self._folded(name, found):
                continue
            site = None if found[0].host is not None else self._covering(name)
            if site is not None:
                self._alias(site, name)
            else:
                still.append(name)
        if still:
            self.kept.append(KeptServer(replace(server, names=tuple(still)), "it redirects names that no site has"))

    def _redirected_unnamed(self) -> None:
        """Kept servers whose names are redirected on port 80 by the default server there: it is stackctl's now."""
        default = self.conf.default(HTTP_PORT)
        if default is None or default.oddity or not redirect_of(default.body):
            return
        there = [one for one in self.conf.servers if any(listen.port == HTTP_PORT for listen in one.listens)]
        named_there = {name for server in there for name in server.names}
        secure = [one.server for one in self.kept if any(listen.port == HTTPS_PORT for listen in one.server.listens)]
        names = dict.fromkeys(name for server in secure for name in server.names if name not in {"", "_"})
        left = [name for name in names if name not in named_there and not self._site_of(name)]
        if left:
            self.kept.append(KeptServer(replace(default, names=tuple(left)), "it redirects names that no site has"))

    def _covering(self, name: Domain) -> ProposedSite | None:
        """The site whose certificate is for ``name`` too, where that site answered for it by being the default."""
        default = self.conf.default(HTTPS_PORT)
        for site in self.sites:
            certificate = self.certificates.get(site.lineage or "")
            if certificate is not None and certificate.covers(name) and default is not None and site.at == default.at:
                return site
        return None

    def _cover(self) -> None:
        """Names that only a certificate has: the default server answered for them, with just that certificate."""
        routed = {name for server in self.conf.servers for name in server.names}
        for lineage, certificate in self.certificates.items():
            for text in certificate.names:
                default = self.conf.default(HTTPS_PORT)
                site = next((one for one in self.sites if one.lineage == lineage), None)
                if text in routed or text.startswith("*.") or site is None or self._site_of(Domain(text)):
                    continue
                if default is not None and default.at == site.at:
                    self._alias(site, Domain(text))

    def _alias(self, site: ProposedSite, name: Domain) -> None:
        self.sites[self.sites.index(site)] = replace(site, domains=(*site.domains, name))

    def _site_of(self, name: str) -> ProposedSite | None:
        return next((site for site in self.sites if name in site.domains), None)

    # The rest

    def _strangers(self) -> None:
        """Unknown names were answered by some site, and are refused now."""
        for port in (HTTP_PORT, HTTPS_PORT):
            default = self.conf.default(port)
            if default is not None and default.domains and not redirect_of(default.body):
                scheme = "https" if port == HTTPS_PORT else "http"
                self._remark(
                    Fate.CHANGED,
                    f"names of no site were answered by {default.domains[0]} over {scheme}, and are refused now",
                    default.at,
                )

    def _finished(self) -> Proposal:
        taken = {name for site in self.sites for name in site.domains}
        servers = [text for one in self.kept if (text := server_text(one, taken, self.keeper))]
        tuning, http = read_settings(self.conf, self.keeper)
        sites = [replace(site, tuning=merged(site.tuning, tuning)) for site in self.sites]
        parts = [part for part in (http, self.keeper.groups(), *servers) if part]
        return Proposal(
            sites=tuple(sites),
            tuning=tuning,
            http="\n".join(parts),
            copies=self.keeper.copies,
            remarks=tuple(self.keeper.remarks),
        )

    def _remark(self, fate: Fate, text: str, at: str) -> None:
        self.keeper.remarks.append(Remark(fate, text, at))


_QUIET = {"server_tokens", "access_log", "error_log", "ssl_certificate", "ssl_certificate_key", "ssl_reject_handshake"}
_QUIET |= {"root", "index", "ssl_protocols", "ssl_ciphers", "include"}


def _has_more(server: ServerBlock) -> bool:
    """Whether there is more to it than one way to an app, so that it is not the same without TLS of its own."""
    locations = [one for one in named(server.body, "location") if not is_challenge(one)]
    return len(locations) != 1 or any(one.name in {"if", "set", "return", "rewrite"} for one in server.body)


def _inside(server: ServerBlock) -> ServerBlock:
    """The same with its settings in its only location, where they mean the same."""
    [location] = [one for one in named(server.body, "location") if not is_challenge(one)]
    there = {one.name for one in location.inner}
    moved = [one for one in server.body if one.name not in {"location", "server_tokens", *there, *_TLS}]
    stay = [one for one in server.body if one.name == "server_tokens" or one.name in _TLS]
    return replace(server, body=(*stay, location.with_block((*moved, *location.inner))))


_TLS = {"ssl_certificate", "ssl_certificate_key"}


def _sends_away(one: Directive) -> bool:
    if one.name == "location":
        return all(_sends_away(inner) for inner in one.inner)
    return one.name == "return" and bool(re.fullmatch(r"4\d\d", one.arg)) and len(one.args) == 1
