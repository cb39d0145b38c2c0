"""Convert servers of an nginx configuration to sites, if a site is equivalent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from stackctl.adopt.kept import (
    ANSWERS,
    Headers,
    KeptDirectives,
    default_redirect,
    gets_another_name,
    headers_in_force,
    sent_host,
    with_name,
)
from stackctl.adopt.kept_files import lineage_of
from stackctl.adopt.mapping import SERVER_OWN, TUNING, is_standard, is_standard_header, logs_to_file, tuning_of
from stackctl.adopt.nginx_conf import DEFAULT_TYPE, NginxConf, ServerBlock, is_challenge
from stackctl.adopt.proposal import Handling, ProposedSite
from stackctl.errors import InputError
from stackctl.model import endpoints
from stackctl.model.backends import Server
from stackctl.model.endpoints import HTTP_PORT
from stackctl.model.project import Project
from stackctl.model.tuning import Tuning
from stackctl.model.values import ServiceName
from stackctl.proxies.nginx.directives import Directive, every, first, kept_text, named
from stackctl.stackfile.services import Value

_ALONE = re.compile(r"\$\w+/?\Z")
_PASS = re.compile(r"http://(?P<host>\[[^\]]+\]|[^/:$\[\]]+|\$\w+)(?::(?P<port>\d+))?/?\Z")


@dataclass(frozen=True, slots=True)
class NotASite:
    """Why a server cannot become a site."""

    reason: str


class SiteReader:
    """Reads servers of one configuration, in one project."""

    def __init__(self, conf: NginxConf, project: Project, keeper: KeptDirectives) -> None:
        self._conf = conf
        self._keeper = keeper
        self._services: dict[str, str] = {}
        for service in project.services.values():
            for host in (service.name, *service.hosts):
                self._services.setdefault(host, service.name)

    def read(self, server: ServerBlock) -> ProposedSite | NotASite:  # noqa: PLR0911  (one line for each reason)
        """Return the site for a server, or why there is none; kept directives are added to the keeper."""
        if server.unsupported_listen:
            return NotASite(server.unsupported_listen)
        if not server.domains:
            return NotASite("it has no valid name for a site")
        location = next((one for one in named(server.body, "location") if one.args == ("/",)), None)
        if location is None:
            return NotASite("it has no 'location /'")
        passed = first(location.inner, "proxy_pass")
        if passed is None:
            return NotASite("its 'location /' has no proxy_pass")
        if any(one.name in {"return", "rewrite", "try_files"} for one in server.body):
            return NotASite("it answers or rewrites requests before a location is selected")
        if first(location.inner, "try_files") is not None:
            return NotASite("its 'location /' has try_files")
        upstream = self._upstream(passed, [*location.inner, *server.body])
        if isinstance(upstream, NotASite):
            return upstream
        return self._site(server, location, upstream)

    def _site(self, server: ServerBlock, location: Directive, upstream: Server) -> ProposedSite:
        others = [one for one in named(server.body, "location") if one != location and not is_challenge(one)]
        variable = _variable(location)
        used = any(variable in arg for one in every(others) for arg in one.args) if variable else True
        unused = () if used else (variable,)
        own = [one for one in server.body if one.name != "location" and not _sets(one, unused)]
        location = location.with_block(one for one in location.inner if not _sets(one, unused))
        tuning: dict[str, str] = {}
        for one in [*own, *location.inner]:  # the inner one wins
            found = tuning_of(one)
            tuning |= [found] if found else []
        lineage = lineage_of(server.certificate) if server.tls else None
        imported = server.tls and lineage is None and server.certificate is not None
        if server.certificate and server.certificate.endswith("/cert.pem"):
            self._keeper.remark(Handling.CHANGED, "the full chain is now sent, not only the certificate", server.at)
        if any("quic" in listen.options for listen in server.listens):
            self._keeper.remark(Handling.CHANGED, f"{server.domains[0]} is no longer served over HTTP/3", server.at)
        for one in list(named(server.body, "ssl_certificate"))[1:]:
            self._keeper.remark(
                Handling.CHANGED,
                f"{one.head}: the first is used; 'key-type: [ecdsa, rsa]' gives it both",
                one.at,
            )
        return ProposedSite(
            domains=server.domains,
            server=upstream,
            at=server.at,
            lineage=lineage,
            imported=server.certificate if imported else None,
            imported_key=server.key if imported else None,
            tuning=tuning,
            custom=self._custom(own, others),
            location=self._location(own, location),
        )

    def _custom(self, own: list[Directive], others: list[Directive]) -> str:
        kept: list[Directive] = []
        settings = [one for one in own if _is_tls(one) or (one.name in SERVER_OWN and one.name not in _CERTIFICATE)]
        settings = [one for one in settings if one.name.startswith("ssl_") or _is_tls(one)]
        if settings:
            names = ", ".join(dict.fromkeys(one.name if one.name != "include" else one.head for one in settings))
            self._keeper.remark(Handling.REPLACED, f"{names}: set by the key 'tls' of x-stackctl", settings[0].at)
        for one in own:
            if one.name in SERVER_OWN or _is_tls(one) or (one.name == "server_tokens" and one.arg == "off"):
                continue
            if is_standard(one):
                continue
            if one.name in TUNING or one.name == "proxy_set_header":
                kept += [one] if others else []
            else:
                kept.append(one)
        server_headers = headers_in_force(own)
        in_force = Headers(server_headers, inherited=True) if server_headers else self._keeper.outer_headers
        for one in [*kept, *others]:
            if one.name not in TUNING and not logs_to_file(one):
                self._keeper.remark(Handling.KEPT, one.head, one.at)
        answers = any(one.name in ANSWERS for one in every([*kept, *others]))
        if answers and self._conf.default_type != DEFAULT_TYPE and first(own, "default_type") is None:
            kept.insert(
                0, Directive("default_type", (self._conf.default_type,), others[0].at if others else kept[0].at)
            )
        return kept_text([*self._keeper.keep(kept), *self._keeper.keep(others, in_force)])

    def _location(self, own: list[Directive], location: Directive) -> str:
        kept: list[Directive] = []
        headers = headers_in_force(location.inner, own, self._conf.settings)
        passed = first(location.inner, "proxy_pass")
        url = _PASS.match(passed.arg) if passed else None
        if passed is not None and url is not None and not url["host"].startswith("$"):
            headers = tuple(with_name(one, sent_host(url)) for one in headers)
            unnamed = not any(one.arg.lower() == "host" for one in headers)
            if unnamed:  # nginx's default: the app has always received this Host
                headers = (*headers, Directive("proxy_set_header", ("Host", sent_host(url)), passed.at))
            by_default = self._keeper.redirects_by_default and first(location.inner, "proxy_redirect") is None
            if by_default and (unnamed or gets_another_name(headers)):
                kept.append(default_redirect(passed, "/"))
        kept += [one for one in headers if not is_standard_header(one)]
        for one in location.inner:
            if one.name in {"proxy_pass", "proxy_http_version", "proxy_set_header"} or tuning_of(one):
                continue
            if is_standard(one):
                continue
            kept.append(one)
        for one in kept:
            if not logs_to_file(one):
                self._keeper.remark(Handling.KEPT, f"{one.head} (in location /)", one.at)
        return kept_text(self._keeper.keep(kept))

    def _upstream(self, passed: Directive, around: Iterable[Directive]) -> Server | NotASite:
        """Return the server that ``proxy_pass`` connects to."""
        url = _PASS.match(passed.arg if not _ALONE.match(passed.arg) else f"http://{passed.arg}")
        if url is None:
            return NotASite(f"'proxy_pass {passed.arg}' is not a plain http:// address")
        host, port = url["host"], url["port"]
        if host.startswith("$"):
            value = next((one.args[1] for one in named(around, "set") if one.args[:1] == (host,)), None)
            again = None if value is None else _PASS.match(value if "://" in value else f"http://{value}")
            if again is None or again["host"].startswith("$"):
                return NotASite(f"'proxy_pass {passed.arg}' depends on a variable at run time")
            host, port = again["host"], again["port"] or port
        group = self._conf.group(host)
        if group is not None and port is None:
            servers = list(named(group.inner, "server"))
            if len(servers) != 1:
                return NotASite(f"its upstream {host} has {len(servers)} servers")
            text = servers[0].arg
            host, _, port = text.rpartition(":") if ":" in text else (text, "", str(HTTP_PORT))
            if host in {"unix", "http"} or not port.isdigit():
                return NotASite(f"its upstream is {text}")
        return self._place(host, int(port or HTTP_PORT))

    def _place(self, host: str, port: int) -> Server | NotASite:
        service = self._services.get(host)
        if service is not None:
            return Server.of(ServiceName(service), port)
        try:
            return Server(endpoints.endpoint(f"{host}:{port}"))
        except InputError as error:
            return NotASite(f"its upstream {host}:{port} is not supported: {error.hint or error.message}")


_CERTIFICATE = {"ssl_certificate", "ssl_certificate_key"}


def _is_tls(one: Directive) -> bool:
    """Whether it includes the TLS settings that certbot ships, from a file that does not exist."""
    return one.name == "include" and one.arg.endswith("options-ssl-nginx.conf")


def _variable(location: Directive) -> str | None:
    """Return the variable that ``proxy_pass`` takes its address from, or None."""
    passed = first(location.inner, "proxy_pass")
    url = _PASS.match(f"http://{passed.arg.removeprefix('http://')}") if passed else None
    return url["host"] if url is not None and url["host"].startswith("$") else None


def _sets(one: Directive, variables: tuple[str | None, ...]) -> bool:
    return one.name == "set" and one.arg in variables


_DEFAULTS = {key: getattr(Tuning(), key.replace("-", "_")) for key in TUNING.values()}


def merged(tuning: Mapping[str, Value], top: Mapping[str, Value]) -> dict[str, Value]:
    """Return the keys of a site that differ from the top-level keys, or else from stackctl's defaults."""
    return {key: value for key, value in tuning.items() if top.get(key, _DEFAULTS.get(key)) != value}
