"""nginx: the locations by which an auth service is asked, and those that lead to its log-in."""

from __future__ import annotations

from collections.abc import Sequence

from stackctl.model.access import Access, ForwardAuth
from stackctl.model.layout import MARKER_PATH
from stackctl.proxies.nginx.access_maps import LOG_IN, PASSWORD, AccessMaps
from stackctl.proxies.nginx.directives import Directive
from stackctl.proxies.nginx.maps import Map
from stackctl.proxies.nginx.own import Snippets, header_lines
from stackctl.templates import render

_KEPT = MARKER_PATH.rpartition("/")[0]
_ASK = f"{_KEPT}/access"
_LOGIN, _TO_LOG_IN, _FAILED = (f"@stackctl_{name}" for name in ("login", "to_log_in", "failed"))
_START = "start"
"""Of a service's portal: it answers itself."""

_REDIRECTS = "301 302 303 307 308"
_FAILURES = "400 404 405 408 413 414 421 429 431 500 501 502 503 504 505 507"
"""What an auth service answers that knows nothing about the request; nginx itself refuses with 500 for others."""


class ForwardAuths:
    """The auth services of one site, whose rules are ``found``."""

    def __init__(self, found: Sequence[Access], maps: AccessMaps, snippets: Snippets, *, either: bool) -> None:
        self._found = found
        self._forwards = tuple(dict.fromkeys(one.forward for one in found if one.forward is not None))
        self._maps = maps
        self._named = maps.named
        self._snippets = snippets
        self._either = either

    def __bool__(self) -> bool:
        return bool(self._forwards)

    def maps(self) -> list[Map]:
        """Return the maps of variables that the locations set, and of requests that a redirect helps."""
        if not self:
            return []
        shows = Map('"$request_method $http_upgrade"', self._named("shows"), ((r'"~^(?:GET|HEAD) \\z"', "1"),))
        return [Map('""', self._named("asked")), Map('""', self._named("portal")), shows]

    def server_lines(self) -> list[str]:
        """Return the directives of the site's servers, which all of its locations inherit."""
        if not self:
            return []
        told = (*self.identity(), *self.cookies(), *self._locations())
        answers = (f"{variable} $upstream_http_{name.lower().replace('-', '_')}" for name, variable in told)
        return [
            f"auth_request {_ASK};",
            f"error_page 401 = {_LOGIN};",
            *(f"auth_request_set {one};" for one in answers),
        ]

    def identity(self) -> list[tuple[str, str]]:
        """Return the request headers that only the auth service sets, with the variables that have their values."""
        names = {name.lower(): name for one in self._forwards for name in one.service.identity}
        return [(name, self._named(f"identity{number}")) for number, name in enumerate(names.values(), start=1)]

    def cookies(self) -> list[tuple[str, str]]:
        """Return the response header with the cookies of the auth service, and its variable; none if it has none."""
        return [("Set-Cookie", self._named("cookie"))] if any(one.service.cookies for one in self._forwards) else []

    def _locations(self) -> list[tuple[str, str]]:
        names = {one.service.location.lower(): one.service.location for one in self._forwards}
        return [(name, self._named(f"to{number}")) for number, name in enumerate(names.values(), start=1)]

    def locations(self) -> str:
        """Return the locations of the auth services, and that of paths which no app gets."""
        return render(
            "nginx/access.j2",
            kept=_KEPT,
            ask=_ASK,
            asked=self._named("asked"),
            must=self._maps.must,
            shows=self._named("shows"),
            number=self._maps.number,
            either=self._either,
            password=PASSWORD,
            log_in=LOG_IN,
            basic=any(one.users for one in self._found),
            services=[self._service(position, one) for position, one in enumerate(self._forwards, start=1)],
            portals={one.service.portal: one.url for one in self._forwards if one.service.portal},
            redirects=_REDIRECTS,
            failures=_FAILURES,
            login=_LOGIN,
            to_log_in=_TO_LOG_IN,
            failed=_FAILED,
            start=_START,
            starting=next((one for one in self._forwards if one.service.starts), None),
            to=[variable for _, variable in self._locations()],
            portal=self._named("portal"),
            start_lines=self._header_lines((("X-Auth-Request-Redirect", "$request_uri"),)),
            upstream=self._named("service"),
        )

    def _service(self, position: int, forward: ForwardAuth) -> dict[str, object]:
        scheme = next(one.args[1] for one in self._snippets.headers if one.arg == "X-Forwarded-Proto")
        full = f"{scheme}://$host$edge_port_suffix$request_uri"
        told = (
            ("Content-Length", ""),
            ("Upgrade", ""),
            ("Connection", ""),
            ("X-Original-URL", full),
            ("X-Original-URI", "$request_uri"),
            ("X-Original-Method", "$request_method"),
            ("X-Forwarded-Method", "$request_method"),
            ("X-Forwarded-Uri", "$request_uri"),
        )
        service = forward.service
        login = f"{service.login}?rd={full}" if service.login else ""
        return {
            "position": position,
            "numbers": "|".join(str(number) for number, one in enumerate(self._found) if one.forward == forward),
            "url": forward.url,
            "path": service.path,
            "headers": self._header_lines(told),
            "portal": login or (_START if service.starts else ""),
        }

    def _header_lines(self, told: Sequence[tuple[str, str]]) -> list[str]:
        own = tuple(Directive("proxy_set_header", (name, value)) for name, value in told)
        written = [f'proxy_set_header {one.args[0]} "{one.args[1]}";' for one in own]
        return [*header_lines(self._snippets, (), own), *written]
