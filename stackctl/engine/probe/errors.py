"""Reads the last error that the proxy logged about each server of a site."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from stackctl.engine.context import Context
from stackctl.errors import EngineError, InputError
from stackctl.model.endpoints import Endpoint, endpoint
from stackctl.observed.containers import Container
from stackctl.proxies.proxy import Proxy
from stackctl.proxies.trace import LoggedError

_LINES = 5000
"""How far back the log is read."""


def last_errors(
    context: Context, kind: Proxy, proxy: Container | None, names: Collection[str]
) -> dict[Endpoint, LoggedError]:
    """Return the last error about each server, for requests to one of ``names``; none if the log cannot be read."""
    if proxy is None:
        return {}
    try:
        log = context.containers.log(proxy.id, _LINES)
    except EngineError:
        return {}
    found: dict[Endpoint, LoggedError] = {}
    for error in kind.logged_errors(log):
        at = _upstream(error.upstream) if error.host in names else None
        if at is not None:
            found[at] = error
    return found


def _upstream(url: str | None) -> Endpoint | None:
    try:
        return endpoint(urlsplit(url).netloc) if url else None
    except (InputError, ValueError):
        return None
