"""nginx: what stands in front of it, and what that is believed.

With ngx_http_realip_module ``$remote_addr``, and so ``allow``, ``geo``, ``limit_req`` and the log, have the address of
the client; ``$realip_remote_addr`` keeps that of the peer. ``$edge_scheme`` is the scheme that the visitor uses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from stackctl.certs.copied import stored_pair
from stackctl.errors import StackfileError
from stackctl.model.edge import PROBE, Behind
from stackctl.model.layout import CHALLENGES, MARKER_HOST
from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.proxies.loops import LOOP
from stackctl.proxies.nginx.capabilities import Capabilities
from stackctl.proxies.nginx.directives import Directive, named
from stackctl.proxies.nginx.layout import CUSTOM, CUSTOM_HTTP, DRAINING
from stackctl.proxies.nginx.quoting import literal
from stackctl.proxies.nginx.reader import parse
from stackctl.templates import render

SCHEME = "$edge_scheme"
"""The scheme that the visitor uses."""

PEER = "$realip_remote_addr"
"""The address of the other end of the connection."""

_HEALTH = "snippets/health.conf"
_TO_HTTPS = ("if ($edge_to_https) {", "    return 308 https://$host$request_uri;", "}")


def behind_snippets(stack: Stack) -> dict[str, str]:
    """Return the snippets for what stands in front; none for a stack to which clients connect themselves."""
    behind = stack.behind
    if behind is None:
        return {}
    health = behind.health
    untouched = [literal(f"~^http /{re.escape(CHALLENGES)}/")]
    if health is not None:
        untouched.append(literal(f"http {health.text}"))
    files = {
        "snippets/behind.conf": render(
            "nginx/snippets/behind.conf.j2",
            trusted=list(map(str, behind.trusted)),
            header=(behind.client_ip.header or "proxy_protocol") if behind.trusted else None,
            says_scheme=behind.says_scheme,
            terminated=behind.terminated,
            redirect=behind.redirect,
            untouched=untouched,
            probe=PROBE,
        )
    }
    if health is not None:
        files[_HEALTH] = render("nginx/snippets/health.conf.j2", path=health.text, draining=DRAINING.mount)
    return files


def front(stack: Stack, site: Site | None = None) -> dict[str, object]:
    """Return what the templates say of the listeners, and of what stands in front of them."""
    behind, port = stack.behind, stack.proxy.http.port
    redirects = behind is not None and behind.redirect and site is not None and site.redirect is None
    return {
        "plain": (str(port), *([f"[::]:{port}"] if stack.proxy.ipv6 else [])),
        "ahead": ahead(stack),
        "behind": behind is not None,
        "terminated": stack.proxy.https is None,
        "health": _health_lines(behind),
        "nobody": stored_pair(MARKER_HOST) if stack.answers_nobody else None,
        "to_https": _TO_HTTPS if redirects else (),
        "loop": f"{LOOP}\\n",
    }


def _health_lines(behind: Behind | None) -> list[str]:
    """Return the lines by which a server answers the load balancer, before any rule of its own."""
    if behind is None or behind.health is None:
        return []
    return [f"if ($uri = {behind.health.text}) {{", "    break;", "}", f"include {_HEALTH};"]


def ahead(stack: Stack) -> str:
    """Return the parameter of a ``listen`` whose connections begin with the PROXY protocol."""
    return " proxy_protocol" if stack.behind is not None and stack.behind.framed else ""


def refuse_clashes(stack: Stack, custom: Mapping[str, bytes], able: Capabilities) -> None:
    """Refuse the user's own directives about who is believed, and streams that hide who connects.

    Raises:
        StackfileError: with the place.
    """
    behind = stack.behind
    if behind is None or not behind.trusted:
        return
    for one in _own(custom):
        raise StackfileError(
            f"{one.head} does not go together with {behind.where}, which says who is believed",
            where=one.at,
            hint="remove one of them",
        )
    passing = next(iter(stack.passthroughs), None)
    if passing is not None and behind.says_scheme and not able.stream_pass:
        raise StackfileError(
            f"nginx {able.version} cannot read {behind.client_ip.header} behind a stream on the port of the sites",
            where=passing.where,
            hint="use an image with nginx 1.25.5 or newer",
        )


def _own(custom: Mapping[str, bytes]) -> Iterator[Directive]:
    content = custom.get(CUSTOM_HTTP)
    if content:
        yield from named(parse(content, (CUSTOM / CUSTOM_HTTP).path), "set_real_ip_from", "real_ip_header")
