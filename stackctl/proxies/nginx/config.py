"""nginx: renders the directives of a stack, by the capabilities of the version."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from stackctl.errors import InputError
from stackctl.model.layout import CHALLENGES, WEBROOT
from stackctl.model.routing import Route, Server, Site, Tuning
from stackctl.model.stack import Stack
from stackctl.model.values import Domain
from stackctl.proxies.nginx.custom import BEFORE_MAPS, http_copy, site_copies
from stackctl.proxies.nginx.directives import Directive, first, text_of
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
    read_own,
    sets_buffers,
    shared_header_lines,
)
from stackctl.proxies.nginx.removed import REMOVED
from stackctl.proxies.nginx.tls import tls_snippet
from stackctl.proxies.nginx.upstream import tls_lines
from stackctl.proxies.proxy import Files, SiteTls
from stackctl.templates import render

Version = tuple[int, ...]

MANY = 500
"""With more sites, each keeps fewer idle connections to its upstream."""

OLDEST: Version = (1, 19, 5)
"""Before it there is no ``ssl_reject_handshake`` and no ``-e``."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The capabilities of an nginx; versions from https://nginx.org/en/CHANGES."""

    http2_directive: bool
    upstream_resolve: bool
    keepalive_min_timeout: bool

    @classmethod
    def of(cls, version: Version) -> Capabilities:
        """Return the capabilities of ``version``."""
        return cls(
            http2_directive=version >= (1, 25, 1),
            upstream_resolve=version >= (1, 27, 3),
            keepalive_min_timeout=version >= (1, 27, 4),
        )

    @property
    def http2(self) -> str:
        """How HTTP/2 is turned on: by its own directive, or on ``listen``."""
        return "directive" if self.http2_directive else "listen"


_SIMPLE = re.compile(r"([a-z_]+) (.*);\Z")


def nginx_quote(text: str) -> str:
    """Return ``text`` as one nginx parameter.

    Raises:
        InputError: no quoting makes it safe.
    """
    if any(ord(char) < 32 or char == "\x7f" for char in text):
        raise InputError(f"{text!r} has a control character, which nginx does not accept")
    if "$" in text:
        # nginx has no escape for a dollar sign where it replaces variables.
        raise InputError(f"{text!r} has a '$', which nginx would read as a variable")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def shared_files(stack: Stack, version: Version, *, custom: bytes | None, own_hosts: int = 0) -> Files:
    """Return ``nginx.conf``, the snippets, and ``snippets/http.custom``, the copy of ``custom/http.conf``.

    ``own_hosts`` is how many upstream groups the user's files may need.
    """
    able = Capabilities.of(version)
    snippets = _snippets()
    own = own_directives(custom)
    early = tuple(one for one in own if one.name in BEFORE_MAPS)
    own = tuple(one for one in own if one not in early)
    sites = len(stack.sites)
    names = sum(len(site.domains) for site in stack.sites)
    conf = render(
        "nginx/nginx.conf.j2",
        http2=able.http2,
        shared_zone=able.upstream_resolve,
        keepalive_min_timeout=able.keepalive_min_timeout,
        names_hash_size=_power_of_two(max(512, 2 * names)),
        zone_size=_power_of_two(max(256, 8 * (sites + own_hosts))),
        # Each name is resolved this often: with more sites less often, so that Docker's resolver is not flooded.
        resolver_valid=max(2, sites // 50),
        http=stack.proxy.http,
        https=stack.proxy.https,
        ipv6=stack.proxy.ipv6,
        custom=custom is not None,
        headers=shared_header_lines(snippets, own),
        buffers=buffer_lines(own),
        stores=needs_buffering(own),
        before_maps=text_of(early).splitlines(),
    )
    files = {
        "nginx.conf": giving_way(conf, own, 4),
        "snippets/acme.conf": _challenge(),
        "snippets/proxy.conf": _proxy_snippet(),
        "snippets/removed.conf": _removed_snippet(),
        "snippets/tls.conf": giving_way(tls_snippet(stack), own, 0),
    }
    encoded = {path: text.encode() for path, text in files.items()}
    if custom is None:
        return encoded
    return {**encoded, "snippets/http.custom": http_copy(stack, custom, resolves=able.upstream_resolve)}


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
    snippets = _snippets()
    own = [http, own_directives(custom), own_directives(location)]
    protected = can_protect_http(own[1])
    extra = list(challenge_lines(own[1]))
    text = render(
        "nginx/site.conf.j2",
        name=site.name,
        own_names=_any_of(site.domains),
        proxy=stack.proxy,
        path=route.path,
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
        challenge=_challenge(extra, indent=4) if extra else "",
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


def original_of(path: str) -> str:
    """Return ``custom/DOMAIN.conf`` for its copy ``sites/DOMAIN.custom``, ``custom/DOMAIN.location.conf`` likewise.

    A written file is its own source.
    """
    if path == "snippets/http.custom":
        return "custom/http.conf"
    if path.startswith("sites/") and path.endswith(".custom"):
        return f"custom/{path.removeprefix('sites/').removesuffix('.custom')}.conf"
    if path.startswith("sites/") and path.endswith(".location"):
        return f"custom/{path.removeprefix('sites/')}.conf"
    return path


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


def own_directives(content: bytes | None) -> Directives:
    """Return the directives of a user's file; none of one that nginx itself will refuse."""
    return read_own(content, _snippets())


@lru_cache(maxsize=1)
def _snippets() -> Snippets:
    """Return the request headers that every app gets, or never gets."""
    return Snippets(_simple(_proxy_snippet()), _simple(_removed_snippet()))


def _simple(text: str) -> Directives:
    found = (_SIMPLE.match(line) for line in text.splitlines())
    return tuple(Directive(match[1], tuple(match[2].replace('"', "").split(" "))) for match in found if match)


def _proxy_snippet() -> str:
    return render("nginx/snippets/proxy.conf.j2")


def _removed_snippet() -> str:
    return render("nginx/snippets/removed.conf.j2", names=REMOVED)


def _challenge(extra: Sequence[str] = (), *, indent: int = 0) -> str:
    text = render("nginx/snippets/acme.conf.j2", webroot=WEBROOT.mount, challenges=CHALLENGES, extra=extra)
    return textwrap.indent(text, " " * indent)


def _any_of(names: Sequence[Domain]) -> str:
    """Return a regex for exactly these names."""
    return nginx_regex("|".join(re.escape(name) for name in names))


def nginx_regex(alternatives: str) -> str:
    """Return alternatives as an anchored regex in quotes; names of sites have no character that quotes need."""
    return f'"^({alternatives})\\Z"'


def _only(site: Site) -> tuple[Route, Server]:
    """Return the one route of a site and its one server: the template has no others yet."""
    (route,) = site.routes
    (server,) = route.backend.servers
    return route, server


def _power_of_two(at_least: int) -> int:
    """Round up, so that one more site rarely changes a shared file."""
    return 1 << (at_least - 1).bit_length()
