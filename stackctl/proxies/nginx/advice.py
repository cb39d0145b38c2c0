"""nginx: what to do about the messages of its error log."""

from __future__ import annotations

from stackctl.proxies.nginx.layout import CUSTOM
from stackctl.proxies.trace import Advice

_LIMIT = "limiting"
_TODO = {
    "timed out": "the app takes too long: see 'stackctl logs', or set 'read-timeout' in x-stackctl",
    "could not be resolved": "run 'stackctl up', which starts what is missing",
    "no live upstreams": "run 'stackctl up', which starts what is missing",
    "prematurely closed": "the app ended the connection before it answered: see 'stackctl logs'",
    "too big header": f"the app's headers are larger than proxy_buffer_size, which {CUSTOM.path} can raise",
    "SSL": "the app does not answer the TLS handshake of the proxy: check proxy_pass",
}


def advice(message: str) -> Advice:
    """Return what to do about an error of a request."""
    if "too large body" in message:
        return Advice("set 'body-size' in x-stackctl, or send less", refused=True)
    if _LIMIT in message:  # limit_req and limit_conn
        return Advice(f"raise the limit in {CUSTOM.path}, or ask more slowly", refused=True)
    todo = next((todo for part, todo in _TODO.items() if part in message), None)
    return Advice(todo or "see 'stackctl logs', and ask again")
