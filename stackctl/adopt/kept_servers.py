"""Servers that stay as they are, in ``nginx/custom/http.conf``."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from stackctl.adopt.kept import Keeper
from stackctl.adopt.nginx_conf import Listen, ServerBlock, is_challenge
from stackctl.adopt.proposal import Fate
from stackctl.model.endpoints import HTTP_PORT, HTTPS_PORT
from stackctl.proxies.nginx.directives import Directive, kept_text, named


@dataclass(frozen=True, slots=True)
class KeptServer:
    """A server that is no site, and why; its names are those that it is kept for."""

    server: ServerBlock
    reason: str


def server_text(one: KeptServer, taken: AbstractSet[str], keeper: Keeper) -> str:
    """A server as it was, but for what would clash with stackctl's own; ``taken`` are the names of sites."""
    server = one.server
    shown = f"the server {' '.join(server.names) or 'without a name'}"
    if "proxy_protocol" in one.reason:
        keeper.remark(Fate.LOST, f"{shown}: {one.reason}, which would be for all sites", server.at)
        return ""
    listens = list(named(server.whole.inner, "listen")) or [Directive("listen", (str(HTTP_PORT),))]
    elsewhere = [listen for listen in listens if not _is_stackctls(listen)]
    names = [name for name in server.names if name not in taken]
    if elsewhere and len(names) < len(server.names) and not names:
        # The sites have its names on stackctl's ports alone.
        names = list(server.names)
        if len(elsewhere) < len(listens):
            keeper.remark(Fate.CHANGED, f"{shown} is kept on its own ports alone: its names are sites", server.at)
        listens = elsewhere
    if not elsewhere and not any(name not in {"", "_"} for name in names):
        keeper.remark(Fate.LOST, f"{shown}: unknown names are refused, so nothing would come to it", server.at)
        return ""
    body = [_without_defaults(listen) if _is_stackctls(listen) else listen for listen in listens]
    body += [Directive("server_name", tuple(names))] if names else []
    if any(Listen.of(listen).port == HTTP_PORT for listen in listens):
        body.append(Directive("include", ("snippets/acme.conf",)))
    rest = [directive for directive in server.body if not (server.plain and is_challenge(directive))]
    keeper.remark(Fate.KEPT, f"{shown} stays as it is, no app of stackctl's: {one.reason}", server.at)
    return kept_text([server.whole.with_block([*body, *keeper.keep(rest, keeper.outer_headers)])])


def _is_stackctls(listen: Directive) -> bool:
    return Listen.of(listen).port in {HTTP_PORT, HTTPS_PORT}


_DEFAULTS = {"default_server", "default", "http2"}


def _without_defaults(listen: Directive) -> Directive:
    """A ``listen`` without what stackctl's own servers say of the same port."""
    return replace(listen, args=tuple(arg for arg in listen.args if arg not in _DEFAULTS))
