"""The parts of an nginx configuration: servers, upstream groups and other directives."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from stackctl.errors import InputError
from stackctl.model import values
from stackctl.model.endpoints import HTTP_PORT, HTTPS_PORT
from stackctl.model.layout import WELL_KNOWN
from stackctl.model.values import Domain
from stackctl.proxies.nginx.directives import Directive, first, named, without_comments

_PORT = re.compile(r"(?:.*:)?(\d+)\Z")
_HERE = re.compile(r"https?://(?:\$host|\$http_host|\$server_name)(?::\d+)?(?:\$request_uri|\$uri\S*|/\$1|/)?\Z")
_THERE = re.compile(r"https?://(?P<host>[^/$:]+)(?::\d+)?(?P<rest>\$request_uri|\$uri\S*|/\$1|/\S*)?\Z")


@dataclass(frozen=True, slots=True)
class Listen:
    """One ``listen`` of a server."""

    port: int
    tls: bool
    default: bool
    options: frozenset[str]

    @classmethod
    def of(cls, directive: Directive) -> Listen:
        """Parse a ``listen``; the port of a Unix socket is 0."""
        place, options = directive.arg, frozenset(directive.args[1:])
        match = _PORT.match(place)
        port = int(match[1]) if match else HTTP_PORT if not place.startswith("unix:") else 0
        default = bool(options & {"default_server", "default"})
        return cls(port, "ssl" in options or "quic" in options, default, options)


@dataclass(frozen=True, slots=True)
class ServerBlock:
    """One ``server`` block.

    Attributes:
        names: its names in lower case.
        certificate: the path of its chain in the container, or None.
        body: its directives without ``listen``, ``server_name`` and comments.
        whole: the complete block.
    """

    names: tuple[str, ...]
    listens: tuple[Listen, ...]
    certificate: str | None
    key: str | None
    body: tuple[Directive, ...]
    whole: Directive

    @property
    def at(self) -> str:
        """``file:line`` of the block."""
        return self.whole.at

    @property
    def tls(self) -> bool:
        """Whether it answers TLS."""
        return any(listen.tls for listen in self.listens)

    @property
    def plain(self) -> bool:
        """Whether it answers without TLS."""
        return any(not listen.tls for listen in self.listens)

    def is_default(self, port: int) -> bool:
        """Whether it is marked as the default server on ``port``."""
        return any(listen.port == port and listen.default for listen in self.listens)

    @property
    def domains(self) -> tuple[Domain, ...]:
        """Its names that are valid for a site."""
        return tuple(dict.fromkeys(name for text in self.names if (name := domain_or_none(text)) is not None))

    @property
    def unsupported_names(self) -> tuple[str, ...]:
        """Its names that are not valid for a site: wildcards, patterns, ``_``, ``localhost``."""
        return tuple(text for text in self.names if domain_or_none(text) is None)

    @property
    def unsupported_listen(self) -> str | None:
        """Why a site cannot replace it, by its ``listen``; None if one can."""
        for listen in self.listens:
            if listen.port not in {HTTP_PORT, HTTPS_PORT}:
                return f"it listens on port {listen.port}" if listen.port else "it listens on a socket"
            if "proxy_protocol" in listen.options:
                return "it listens with proxy_protocol"
            if listen.tls != (listen.port == HTTPS_PORT):
                return f"it listens on port {listen.port} {'with' if listen.tls else 'without'} TLS"
        return None


@dataclass(frozen=True, slots=True)
class Redirect:
    """A redirect of a server, or of a condition in one; ``host`` is None for the same name."""

    host: str | None
    url: str
    at: str


@dataclass(frozen=True, slots=True)
class NginxConf:
    """A parsed configuration: ``settings`` are the directives of ``http``, ``main`` those outside it."""

    servers: tuple[ServerBlock, ...] = ()
    upstreams: Mapping[str, Directive] | None = None
    settings: tuple[Directive, ...] = ()
    main: tuple[Directive, ...] = ()

    def group(self, name: str) -> Directive | None:
        """Return the ``upstream`` block with a name, or None."""
        return (self.upstreams or {}).get(name)

    def default(self, port: int) -> ServerBlock | None:
        """Return the server that answers for unknown names on ``port``, or None."""
        there = [server for server in self.servers if any(listen.port == port for listen in server.listens)]
        return next((server for server in there if server.is_default(port)), there[0] if there else None)


def read_conf(directives: Iterable[Directive]) -> NginxConf:
    """Return the parts of a complete configuration with its includes expanded.

    Without any ``http``, all directives count as its content, as in a file of ``conf.d``.
    """
    found = without_comments(directives)
    https = list(named(found, "http"))
    http = [directive for block in https for directive in block.inner] if https else list(found)
    main = tuple(directive for directive in found if directive.name != "http") if https else ()
    return NginxConf(
        servers=tuple(_server(directive) for directive in named(http, "server") if directive.block is not None),
        upstreams={directive.arg: directive for directive in named(http, "upstream")},
        settings=tuple(directive for directive in http if directive.name not in {"server", "upstream"}),
        main=main,
    )


def _server(directive: Directive) -> ServerBlock:
    body = directive.inner
    old_tls = first(body, "ssl")
    listens = [Listen.of(one) for one in named(body, "listen")] or [Listen(HTTP_PORT, False, False, frozenset())]  # noqa: FBT003
    if old_tls is not None and old_tls.arg == "on":
        listens = [Listen(one.port, True, one.default, one.options) for one in listens]  # noqa: FBT003
    certificate, key = first(body, "ssl_certificate"), first(body, "ssl_certificate_key")
    return ServerBlock(
        names=tuple(name.lower() for one in named(body, "server_name") for name in one.args),
        listens=tuple(listens),
        certificate=certificate.arg if certificate else None,
        key=key.arg if key else None,
        body=tuple(one for one in body if one.name not in {"listen", "server_name"}),
        whole=directive,
    )


def domain_or_none(text: str) -> Domain | None:
    """Return ``text`` as the name of a site; None if it is not valid."""
    try:
        return values.domain(text)
    except InputError:
        return None


def is_challenge(directive: Directive) -> bool:
    """Whether it is a location for the ACME challenge, which stackctl replaces."""
    return directive.name == "location" and any(
        arg.lstrip("^").replace("\\", "").startswith(f"/{WELL_KNOWN}") for arg in directive.args[-1:]
    )


def redirect_of(body: Iterable[Directive]) -> list[Redirect] | None:
    """Return the redirects of a server that does nothing else, apart from the challenge; None for any other."""
    found: list[Redirect] = []
    for directive in body:
        if is_challenge(directive) or directive.name in _SILENT or directive.name.startswith("ssl"):
            continue
        if directive.name == "include" and directive.arg.endswith("options-ssl-nginx.conf"):
            continue
        if (directive.name == "location" and directive.args[-1:] == ("/",)) or directive.name == "if":
            inside = redirect_of(directive.inner)
        elif directive.name == "return" and directive.arg == "404" and found:
            continue  # certbot's own: 'if ($host = …) { return 301 … } return 404;'
        else:
            one = _redirect(directive)
            inside = [one] if one else None
        if inside is None:
            return None
        found += inside
    return found or None


# Directives that do not affect the routing of a request.
_SILENT = {"http2", "server_tokens", "access_log", "error_log", "root", "index", "charset"}


def _redirect(directive: Directive) -> Redirect | None:
    url = None
    if directive.name == "return" and directive.arg in {"301", "302", "303", "307", "308"} and len(directive.args) > 1:
        url = directive.args[1]
    elif directive.name == "return" and directive.arg.startswith("https://"):
        url = directive.arg
    elif directive.name == "rewrite" and directive.args[-1] in {"permanent", "redirect"} and len(directive.args) == 3:
        url = directive.args[1] if directive.arg in {"^", "^(.*)$", "^(.*)", "^/(.*)$", ".*", "^.*$"} else None
    if url is None:
        return None
    if _HERE.match(url):
        return Redirect(None, url, directive.at)
    there = _THERE.match(url)
    return Redirect(there["host"].lower(), url, directive.at) if there else None
