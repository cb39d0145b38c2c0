"""The parts of an nginx configuration: servers, upstream groups and other directives."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from stackctl.errors import InputError
from stackctl.model import values
from stackctl.model.endpoints import HTTP_PORT, HTTPS_PORT
from stackctl.model.layout import CHALLENGES, MARKER_PATH, WELL_KNOWN
from stackctl.model.values import Domain
from stackctl.proxies.nginx.directives import Directive, first, named, without_comments
from stackctl.proxies.nginx.matching import rank

_ADDRESS = re.compile(r"(?P<host>\[[^\]]*\]|[^:]*[^:\d][^:]*)(?::\d+)?\Z")
_PORT = re.compile(r"(?:.*:)?(\d+)\Z")

DEFAULT_TYPE = "application/octet-stream"
"""The ``default_type`` of stackctl's nginx.conf."""

UNNAMED = frozenset({"", "_", "localhost"})
"""Names of servers that are meant for requests without a known name."""


@dataclass(frozen=True, slots=True)
class Listen:
    """One ``listen`` of a server."""

    port: int
    tls: bool
    default: bool
    options: frozenset[str]
    address: str = "*"

    @classmethod
    def of(cls, directive: Directive) -> Listen:
        """Parse a ``listen``; the port of a Unix socket is 0."""
        place, options = directive.arg, frozenset(directive.args[1:])
        match = _PORT.match(place)
        port = int(match[1]) if match else HTTP_PORT if not place.startswith("unix:") else 0
        default = bool(options & {"default_server", "default"})
        if not port:
            return cls(port, "ssl" in options, default, options, place)
        address = host["host"] if (host := _ADDRESS.match(place)) else "*"
        address = "*" if address in {"0.0.0.0", "*"} else address  # noqa: S104  (compared, not bound)
        return cls(port, "ssl" in options or "quic" in options, default, options, address)

    @property
    def place(self) -> tuple[str, int, bool]:
        """Where it listens: servers with the same place and name are in conflict."""
        return self.address, self.port, "quic" in self.options


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
            if listen.address not in {"*", "[::]"}:
                return f"it listens on the address {listen.address}"
            if listen.tls != (listen.port == HTTPS_PORT):
                return f"it listens on port {listen.port} {'with' if listen.tls else 'without'} TLS"
        return None


@dataclass(frozen=True, slots=True)
class NginxConf:
    """A parsed configuration.

    Attributes:
        settings: the directives of ``http``.
        main: those outside it.
        default_type: the content type of files with an unknown extension.
    """

    servers: tuple[ServerBlock, ...] = ()
    upstreams: Mapping[str, Directive] | None = None
    settings: tuple[Directive, ...] = ()
    main: tuple[Directive, ...] = ()
    default_type: str = DEFAULT_TYPE

    def group(self, name: str) -> Directive | None:
        """Return the ``upstream`` block with a name, or None."""
        return (self.upstreams or {}).get(name)

    def default(self, port: int) -> ServerBlock | None:
        """Return the server that answers for unknown names on ``port``, or None."""
        there = self._at(port)
        return next((server for server in there if server.is_default(port)), there[0] if there else None)

    def named_at(self, name: str, port: int) -> ServerBlock | None:
        """Return the server that nginx selects by ``name`` on ``port``; None if only the default server answers."""
        ranked = [(match, server) for server in self._at(port) for text in server.names if (match := rank(text, name))]
        return max(ranked, key=lambda pair: pair[0][:2])[1] if ranked else None

    def _at(self, port: int) -> list[ServerBlock]:
        return [server for server in self.servers if any(listen.port == port for listen in server.listens)]


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
        default_type=_default_type(http) if https else DEFAULT_TYPE,
    )


def _default_type(http: Iterable[Directive]) -> str:
    found = first(http, "default_type")
    return found.arg if found else "text/plain"  # nginx's default


def _server(directive: Directive) -> ServerBlock:
    body = directive.inner
    old_tls = first(body, "ssl")
    listens = [Listen.of(one) for one in named(body, "listen")] or [Listen(HTTP_PORT, False, False, frozenset())]  # noqa: FBT003
    if old_tls is not None and old_tls.arg == "on":
        listens = [replace(one, tls=True) for one in listens]
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
    """Whether it is a location for the ACME challenge or for stackctl's marker, which stackctl replaces."""
    return directive.name == "location" and bool(_CHALLENGE.match(_path_of(directive)))


def serves_challenges(directive: Directive) -> bool:
    """Whether it is a location for the ACME challenge, or one of files for everything below ``.well-known``."""
    if is_challenge(directive):
        return True
    broad = directive.name == "location" and _path_of(directive).strip("/") in {WELL_KNOWN, f"{WELL_KNOWN}/.*"}
    return broad and all(one.name in _OF_FILES for one in directive.inner)


def _path_of(location: Directive) -> str:
    """Return the path that a location matches, of a pattern without its escapes and its anchor."""
    return location.args[-1].lstrip("^").replace("\\", "") if location.args else ""


_CHALLENGE = re.compile(rf"(?:\.\*)?/?{re.escape(CHALLENGES)}(?![\w-])|{re.escape(MARKER_PATH)}\Z")
_OF_FILES = {"root", "alias", "try_files", "default_type", "allow", "auth_basic", "access_log", "log_not_found"}
