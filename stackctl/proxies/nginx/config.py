"""nginx: renders the directives of a stack, by the capabilities of the version."""

from __future__ import annotations

import re
from dataclasses import dataclass

from stackctl.errors import InputError
from stackctl.model.layout import CHALLENGES, WEBROOT
from stackctl.model.routing import Route, Server, Site
from stackctl.model.stack import Stack, TlsPolicy
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


_PROTOCOLS = {TlsPolicy.MODERN: "TLSv1.3", TlsPolicy.INTERMEDIATE: "TLSv1.2 TLSv1.3"}
# https://ssl-config.mozilla.org, guideline 5.7, without the DHE suites.
_CIPHERS = {
    TlsPolicy.MODERN: None,
    TlsPolicy.INTERMEDIATE: (
        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
        "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
        "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
    ),
}

_SET_HEADER = re.compile(r"^\s*proxy_set_header\s+[\"']?([A-Za-z0-9_-]+)", re.MULTILINE)


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


def shared_files(stack: Stack, version: Version, *, custom: bytes | None) -> Files:
    """Return ``nginx.conf``, the snippets, and ``snippets/http.custom``, the copy of ``custom/http.conf``."""
    able = Capabilities.of(version)
    sites = len(stack.sites)
    names = sum(len(site.domains) for site in stack.sites)
    conf = render(
        "nginx/nginx.conf.j2",
        http2=able.http2,
        shared_zone=able.upstream_resolve,
        keepalive_min_timeout=able.keepalive_min_timeout,
        names_hash_size=_power_of_two(max(512, 2 * names)),
        zone_size=_power_of_two(max(256, 8 * sites)),
        # Each name is resolved this often: with more sites less often, so that Docker's resolver is not flooded.
        resolver_valid=max(2, sites // 50),
        http=stack.proxy.http,
        https=stack.proxy.https,
        custom=custom is not None,
    )
    files = {
        "nginx.conf": conf,
        "snippets/acme.conf": render("nginx/snippets/acme.conf.j2", webroot=WEBROOT.mount, challenges=CHALLENGES),
        "snippets/proxy.conf": render("nginx/snippets/proxy.conf.j2"),
        "snippets/tls.conf": render(
            "nginx/snippets/tls.conf.j2",
            policy=stack.tls.value,
            protocols=_PROTOCOLS[stack.tls],
            ciphers=_CIPHERS[stack.tls],
        ),
    }
    encoded = {path: text.encode() for path, text in files.items()}
    return encoded if custom is None else {**encoded, "snippets/http.custom": custom}


def site_files(  # noqa: PLR0913  (a site, and the user's two files for it)
    stack: Stack,
    site: Site,
    tls: SiteTls,
    version: Version,
    *,
    custom: bytes | None,
    location: bytes | None = None,
) -> Files:
    """Return ``sites/DOMAIN.conf``; ``.redirect`` has its names that HTTP redirects.

    ``.custom`` and ``.location`` are copies of the user's own files, for its server and for its ``location /``.
    """
    able = Capabilities.of(version)
    route, server = _only(site)
    text = render(
        "nginx/site.conf.j2",
        name=site.name,
        names=site.domains,
        http=stack.proxy.http,
        https=stack.proxy.https,
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
        certificate=tls.certificate,
        key=tls.key,
        tuning=site.tuning,
        custom=custom is not None,
        location=location is not None,
        headers=_headers_left(location),
    )
    files = {f"sites/{site.name}.conf": text.encode()}
    redirected = [name for name in site.domains if name in tls.trusted]
    if redirected:
        files[f"sites/{site.name}.redirect"] = render("nginx/redirect.j2", names=redirected).encode()
    own = {"custom": custom, "location": location}
    return files | {f"sites/{site.name}.{kind}": body for kind, body in own.items() if body is not None}


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


def _headers_left(location: bytes | None) -> list[str]:
    """Return the lines of ``snippets/proxy.conf`` for a location that sets request headers itself.

    nginx sends a header twice if it is set twice.
    """
    own = {name.lower() for name in _SET_HEADER.findall((location or b"").decode("utf-8", "replace"))}
    lines = render("nginx/snippets/proxy.conf.j2").splitlines()
    set_here = [match[1].lower() if (match := _SET_HEADER.match(line)) else None for line in lines]
    if not own & set(set_here):
        return []
    return [line for line, name in zip(lines, set_here, strict=True) if name not in own and not line.startswith("#")]


def _only(site: Site) -> tuple[Route, Server]:
    """Return the one route of a site and its one server: the template has no others yet."""
    (route,) = site.routes
    (server,) = route.backend.servers
    return route, server


def _power_of_two(at_least: int) -> int:
    """Round up, so that one more site rarely changes a shared file."""
    return 1 << (at_least - 1).bit_length()
