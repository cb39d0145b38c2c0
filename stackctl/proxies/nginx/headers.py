"""nginx: headers that are set and removed, in each block that nginx would drop them from.

nginx inherits ``add_header``, ``proxy_hide_header`` and ``proxy_set_header`` only into a block that has none of its
own. So the lines of a site are in its servers, for locations of the user's, and again in each location that has one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from stackctl.model.headers import PRESETS, Changes, Headers, Hsts, Preset
from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.model.tuning import Tuning
from stackctl.proxies.nginx.behind import SCHEME
from stackctl.proxies.nginx.directives import Directive, named, text_of
from stackctl.proxies.nginx.maps import Map
from stackctl.proxies.nginx.own import Directives
from stackctl.proxies.nginx.quoting import literal
from stackctl.proxies.nginx.rates import RETRY_AFTER, is_limited
from stackctl.proxies.nginx.variables import Variables

_ALTERNATIVE = "$edge_alt_svc"
_HSTS = "Strict-Transport-Security"


class HeaderLines:
    """The headers of a site's answers and requests, as lines of nginx.

    Args:
        own: the user's directives: around all servers, in this site's server, and in its location.
        everywhere: headers of each answer of the proxy, with the variables that have their values.
        identity: request headers that no client may set, with those.
    """

    def __init__(
        self,
        site: Site,
        variables: Variables,
        own: Sequence[Directives],
        everywhere: Iterable[tuple[str, str]] = (),
        identity: Iterable[tuple[str, str]] = (),
    ) -> None:
        self._site = site
        self._variables = variables
        self._own = own
        self._everywhere = tuple(everywhere)
        self._identity = tuple(identity)
        self._texts: dict[str, str] = {}

    def added(self, tuning: Tuning, *, by_app: bool = True, beside: Directives = ()) -> list[str]:
        """Return the lines that add response headers; ``beside`` are the user's own directives in the same block.

        ``by_app`` is whether the answer may be an app's, whose own headers come before those of a preset.
        """
        users = _names((*self._own[1], *beside), "add_header")
        headers = tuning.headers
        proxys = [*self._everywhere, *([("Retry-After", RETRY_AFTER)] if is_limited(tuning) else [])]
        theirs = {*users, *(name.lower() for name in headers.response.names)}
        lines = [f"add_header {name} {value} always;" for name, value in proxys if name.lower() not in theirs]
        for name, value in headers.defaults.items():
            if name.lower() not in users:
                shown = _default_variable(headers.preset, name) if by_app and headers.preset else literal(value)
                lines.append(f"add_header {name} {shown} always;")
        if headers.hsts is not None and _HSTS.lower() not in users:
            lines.append(f"add_header {_HSTS} {_hsts_variable(headers.hsts)} always;")
        for name, value in headers.response.set:
            if name.lower() not in users:
                lines.append(f"add_header {name} {self._text(value)} always;")
        return lines

    def hidden(self, tuning: Tuning, directive: str = "proxy_hide_header") -> list[str]:
        """Return the lines that take headers out of an app's answer."""
        headers = tuning.headers
        names = [*headers.response.names, *([_HSTS] if headers.hsts is not None else [])]
        return [f"{directive} {name};" for name in names]

    def requested(self, tuning: Tuning, directive: str = "proxy_set_header", beside: Directives = ()) -> Directives:
        """Return the request headers for the app; those that the user's own directives set are left to them."""
        users = _names((*self._own[1], *beside), "proxy_set_header")
        changes: Changes = tuning.headers.request.without(users)
        known = {*users, *(name.lower() for name in changes.names)}
        made = [Directive(directive, (name, self._param(value))) for name, value in changes.set]
        told = [Directive(directive, pair) for pair in self._identity if pair[0].lower() not in known]
        return (*made, *(Directive(directive, (name, "")) for name in changes.remove), *told)

    def _param(self, value: str) -> str:
        """Return a value as :func:`~stackctl.proxies.nginx.directives.text_of` quotes it."""
        return self._text(value)[1:-1]

    def _text(self, value: str) -> str:
        """Return a value as one parameter, which is the same one in each block."""
        if value not in self._texts:
            self._texts[value] = self._variables.text(value)
        return self._texts[value]


def _names(directives: Directives, name: str) -> frozenset[str]:
    return frozenset(one.arg.lower() for one in named(directives, name))


def header_variables(headers: Headers) -> int:
    """Return how many variables the values of headers need at most: one with a dollar sign is cut into parts."""
    pairs = (*headers.response.set, *headers.request.set)
    return sum(1 + len(value) // 300 for _, value in pairs if "$" in value)


# What all sites share


def _default_variable(preset: Preset, name: str) -> str:
    """Return the variable with a header of a preset; nginx's table has room for names of 46 characters."""
    return f"$edge_{preset}_{name.lower().replace('-', '_')}"


def _hsts_variable(hsts: Hsts) -> str:
    return f"$edge_hsts_{hsts.seconds}{'_subdomains' if hsts.subdomains else ''}{'_preload' if hsts.preload else ''}"


def shared_header_maps(sites: Iterable[Site]) -> Iterator[Map]:
    """Yield the maps of the ``http`` block: a preset's headers where the app sends none, and HSTS over HTTPS."""
    found = {headers for site in sites for headers in (one.headers for one in site.tunings) if headers != Headers()}
    for preset in sorted({one.preset for one in found if one.preset}):
        for name, value in PRESETS[preset].items():
            sent = f"$upstream_http_{name.lower().replace('-', '_')}"
            yield Map(sent, _default_variable(preset, name), (('""', literal(value)),))
    for hsts in sorted({one.hsts for one in found if one.hsts is not None}, key=_hsts_variable):
        yield Map(SCHEME, _hsts_variable(hsts), (("https", literal(str(hsts))),))


def alternatives(stack: Stack) -> Iterator[Map]:
    """Yield the map with what tells browsers of HTTP/3 (RFC 7838), which they learn over HTTPS only."""
    if alternative_headers(stack) and stack.http3 is not None:
        yield Map("$https", _ALTERNATIVE, (("on", f"'{stack.http3.alternative}'"),))


def alternative_headers(stack: Stack) -> tuple[tuple[str, str], ...]:
    """Return the header of each answer, with its variable; none without HTTP/3."""
    return (("Alt-Svc", _ALTERNATIVE),) if stack.http3 is not None and stack.proxy.quic else ()


def lines_of(directives: Iterable[Directive]) -> list[str]:
    """Return directives as lines."""
    return text_of(directives).splitlines()
