"""nginx: which server block answers for a name, which location for a path, as nginx itself decides it.

https://nginx.org/en/docs/http/request_processing.html and ``ngx_http_core_find_location`` are the model.
Pure: it takes parsed directives.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from stackctl.model.endpoints import HTTP_PORT, HTTPS_PORT
from stackctl.model.fields import Request
from stackctl.model.paths import normalized
from stackctl.proxies.nginx.actions import action_of, first_answer, rules_of
from stackctl.proxies.nginx.directives import Directive, first, named
from stackctl.proxies.nginx.evaluate import Unknown, Values, jump, refusal
from stackctl.proxies.nginx.matching import matches, rank
from stackctl.proxies.nginx.streams import SITES_SOCKET
from stackctl.proxies.nginx.targets import RULE_TEXT
from stackctl.proxies.trace import Action, Block, Outcome, ServerMatch, Trace

_WILD_ADDRESSES = {"", "*", "0.0.0.0"}  # noqa: S104  (compared, not bound)


def trace(tree: Sequence[Directive], name: str, request: Request, port: int) -> Trace | None:
    """Return the trace of a request for ``name`` that arrives on ``port``.

    None if nothing listens on that port. Only wildcard addresses count: Docker sends a request to no other
    address of the container.
    """
    http = first(tree, "http")
    chosen = None if http is None else choose_server(http.inner, name.lower(), port)
    if http is None or chosen is None:
        return None
    server, match = chosen
    block = Block(_server_text(server), server.at)
    refusing = first(server.inner, "ssl_reject_handshake")
    if refusing is not None and refusing.args == ("on",):
        return Trace(block, match, None, Action(Outcome.REFUSE, refusing.head, refusing.at))
    values = Values(http.inner, request, {"scheme": "https" if port == HTTPS_PORT else "http"})
    answered = first_answer(server.inner, name.lower(), values)
    if answered is not None:
        action, rules = answered
        return Trace(block, match, None, action, rules)
    found = find_location(server.inner, normalized(request.target) or "/")
    location = found.location
    if location is not None:
        location = jump([location.inner, server.inner, http.inner], server.inner, values) or location
    chain = [level.inner for level in (location, server, http) if level is not None]
    refused = refusal(location.inner, values) if location is not None else None
    action = _with_its_text(
        action_of([[refused], *chain] if refused is not None else chain, http.inner, values), values
    )
    if found.redirects and location:
        action = _slash_added(location)
    rules = rules_of(chain, name.lower(), values)
    # A "return" of the server block itself applies before any location is searched.
    immediate = first(server.inner, "return")
    if immediate is not None:
        return Trace(block, match, None, action_of(chain[-2:], http.inner, values), rules)
    inner = Block(location.head, location.at) if location else None
    return Trace(block, match, inner, action, rules)


def _with_its_text(action: Action, values: Values) -> Action:
    """Return the action of a location that many rules share, with the text of the one that leads there."""
    with contextlib.suppress(Unknown):
        return replace(action, text=RULE_TEXT.sub(lambda match: values.of(match[0]), action.text))
    return action


def _slash_added(location: Directive) -> Action:
    text = f"redirect to {location.args[-1]}, with the slash at its end"
    return Action(Outcome.REDIRECT, text, location.at, 301)


# Servers


def choose_server(http: Sequence[Directive], name: str, port: int) -> tuple[Directive, ServerMatch] | None:
    """Return the server block for ``name`` among those that listen on ``port``."""
    servers = [server for server in named(http, "server") if any(_on(listen, port) for listen in _listens(server))]
    if not servers:
        return None
    ranked = [(fit, server) for server in servers for pattern in _names(server) if (fit := rank(pattern, name))]
    if ranked:
        # The first of equals: nginx does so with regexes, and with names of several servers.
        (_, _, match), server = max(ranked, key=lambda pair: pair[0][:2])
        return server, match
    flagged = [
        server
        for server in servers
        if any(_on(listen, port) and {"default_server", "default"} & set(listen[1:]) for listen in _listens(server))
    ]
    return (flagged or servers)[0], ServerMatch.DEFAULT


def _listens(server: Directive) -> list[tuple[str, ...]]:
    return [listen.args for listen in named(server.inner, "listen")] or [(str(HTTP_PORT),)]


def _on(listen: tuple[str, ...], port: int) -> bool:
    if listen[0] == f"unix:{SITES_SOCKET}":
        return port == HTTPS_PORT  # what no stream of that port takes arrives there
    address, _, number = listen[0].rpartition(":") if ":" in listen[0] else ("", "", listen[0])
    if not number.isdigit():
        # An address or a name without a port means port 80.
        address, number = listen[0], str(HTTP_PORT)
    return address in _WILD_ADDRESSES and int(number) == port and "quic" not in listen


def _names(server: Directive) -> Iterator[str]:
    for names in named(server.inner, "server_name"):
        yield from names.args


def _server_text(server: Directive) -> str:
    names = list(_names(server))
    shown = " ".join(names[:4]) + (" …" if len(names) > 4 else "")
    return f"server {shown}" if names else "server"


# Locations


@dataclass(frozen=True, slots=True)
class Found:
    """The result of the search for a location.

    Attributes:
        location: None if no location matches.
        redirects: nginx redirects to the path with a slash at its end.
        final: an exact location or a regex, which ends the search.
    """

    location: Directive | None
    redirects: bool = False
    final: bool = False


def find_location(block: Sequence[Directive], path: str) -> Found:
    """Return the location for a normalised ``path``: exact, else the longest prefix unless a regex fits first."""
    own = [location for location in named(block, "location") if not location.args[-1].startswith("@")]
    for location in own:
        if _kind(location) == ("=", path):
            return Found(location, final=True)
    prefixes = [location for location in own if _kind(location)[0] in {"", "^~"}]
    prefix = max(
        (location for location in prefixes if path.startswith(_kind(location)[1])),
        key=lambda location: len(_kind(location)[1]),
        default=None,
    )
    if prefix is None or _kind(prefix)[1] != path:
        for location in own:
            if _kind(location) in {("", f"{path}/"), ("^~", f"{path}/"), ("=", f"{path}/")} and _passes_on(location):
                return Found(location, redirects=True, final=True)
    nested = find_location(prefix.inner, path) if prefix is not None else Found(None)
    if nested.final:
        return nested
    if prefix is None or _kind(prefix)[0] != "^~":
        for location in own:
            kind, pattern = _kind(location)
            if kind in {"~", "~*"} and matches(pattern, path, re.IGNORECASE if kind == "~*" else 0):
                inner = find_location(location.inner, path)
                return Found(location if inner.redirects else inner.location or location, final=True)
    return Found(nested.location or prefix)


def _kind(location: Directive) -> tuple[str, str]:
    """Return the modifier of a location and its pattern; ``location =/x`` is written without a space too."""
    if len(location.args) > 1:
        return location.args[0], location.args[1]
    pattern = location.args[0]
    for modifier in ("^~", "~*", "=", "~"):
        if pattern.startswith(modifier):
            return modifier, pattern.removeprefix(modifier)
    return "", pattern


def _passes_on(location: Directive) -> bool:
    """Return whether it passes requests on: nginx then redirects to it from the path without its last slash."""
    return any(one.name.endswith("_pass") for one in location.inner)
