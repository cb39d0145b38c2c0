"""Servers that are kept unchanged, in ``nginx/custom/http.conf``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from stackctl.adopt.kept import KeptDirectives
from stackctl.adopt.nginx_conf import UNNAMED, Listen, ServerBlock, is_challenge
from stackctl.adopt.proposal import Handling
from stackctl.model.endpoints import HTTP_PORT, HTTPS_PORT
from stackctl.proxies.nginx.directives import Directive, kept_text, named


@dataclass(frozen=True, slots=True)
class KeptServer:
    """A server that is not a site, with the reason; its names are those that it is kept for."""

    server: ServerBlock
    reason: str


def server_text(one: KeptServer, taken: AbstractSet[str], keeper: KeptDirectives) -> str:
    """Return the text of a kept server, without conflicts with stackctl's own; ``taken`` are the names of sites."""
    server = one.server
    label = f"the server {' '.join(server.names) or 'without a name'}"
    if "proxy_protocol" in one.reason:
        keeper.remark(Handling.UNSUPPORTED, f"{label}: {one.reason}, which would apply to all sites", server.at)
        return ""
    listens = list(named(server.whole.inner, "listen")) or [Directive("listen", (str(HTTP_PORT),))]
    elsewhere = [listen for listen in listens if not _is_stackctls(listen)]
    names = [name for name in server.names if name not in taken]
    if elsewhere and len(names) < len(server.names) and not names:
        # The sites use its names on stackctl's ports only.
        names = list(server.names)
        if len(elsewhere) < len(listens):
            keeper.remark(Handling.CHANGED, f"{label} is kept on its other ports only: its names are sites", server.at)
        listens = elsewhere
    if not elsewhere and not any(name not in UNNAMED for name in names):
        keeper.remark(
            Handling.UNSUPPORTED,
            f"{label}: unknown names are refused, so no request would reach it; give it a server_name",
            server.at,
        )
        return ""
    body = list(_listening(listens))
    body += [Directive("server_name", tuple(names))] if names else []
    if any(Listen.of(listen).port == HTTP_PORT for listen in listens):
        body.append(Directive("include", ("snippets/acme.conf",)))
    rest = [directive for directive in server.body if not (server.plain and is_challenge(directive))]
    rest = [*keeper.defaults(server.body), *rest]
    keeper.remark(Handling.KEPT, f"{label} is kept unchanged, not managed by stackctl: {one.reason}", server.at)
    return kept_text([server.whole.with_block([*body, *keeper.keep(rest, keeper.outer_headers)])])


def _is_stackctls(listen: Directive) -> bool:
    return Listen.of(listen).port in {HTTP_PORT, HTTPS_PORT}


def _listening(listens: Iterable[Directive]) -> Iterator[Directive]:
    """Yield the ``listen`` of a kept server; on port 443 it listens where the sites do, beside streams too."""
    shared = False
    for one in listens:
        listen = Listen.of(one)
        if not _is_stackctls(one):
            yield one
        elif listen.place not in _SITES or not listen.tls:
            yield _without_defaults(one)
        elif not shared:
            shared = True
            yield Directive("include", ("snippets/https.conf",), one.at)


_SITES = {("*", HTTPS_PORT, False), ("[::]", HTTPS_PORT, False)}
_DEFAULTS = {"default_server", "default", "http2"}


def _without_defaults(listen: Directive) -> Directive:
    """Return a ``listen`` without options that stackctl's own servers set for the same port."""
    return replace(listen, args=tuple(arg for arg in listen.args if arg not in _DEFAULTS))
