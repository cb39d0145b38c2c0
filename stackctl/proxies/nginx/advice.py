"""nginx: what to do about the messages of its error log."""

from __future__ import annotations

from stackctl.proxies.nginx.layout import CUSTOM
from stackctl.proxies.nginx.rates import limit_of
from stackctl.proxies.trace import Advice

_LIMIT = "limiting"
_TODO = {
    "timed out": "the app takes too long: see 'stackctl logs', or set 'read-timeout' in x-stackctl",
    "could not be resolved": "run 'stackctl up', which starts what is missing",
    "no live upstreams": "run 'stackctl up', which starts what is missing",
    "Connection refused": "nothing listens there: compare the port of the route with the app's, or see 'stackctl logs'",
    "prematurely closed": "the app ended the connection before it answered: see 'stackctl logs'",
    "too big header": f"the app's headers are larger than proxy_buffer_size, which {CUSTOM.path} can raise",
    "SSL": "the app does not answer the TLS handshake of the proxy: check proxy_pass",
}


def advice(message: str) -> Advice:
    """Return what to do about an error of a request."""
    if "upstream SSL certificate" in message or "certificate verify failed" in message:
        return Advice(_certificate(message))
    if "too large body" in message:
        return Advice("set 'body-size' in x-stackctl, or send less", refused=True)
    if _LIMIT in message:  # limit_req and limit_conn
        where = f"'rate-limit' in x-stackctl, or your own in {CUSTOM.path}"
        return Advice(f"ask more slowly, or raise the limit: {where}", refused=True, limit=limit_of(message))
    todo = next((todo for part, todo in _TODO.items() if part in message), None)
    return Advice(todo or "see 'stackctl logs', and ask again")


def _certificate(message: str) -> str:
    """Return what to do about the certificate of an app that speaks HTTPS."""
    if "does not match" in message:
        return "set 'name' in 'upstream-tls' to a name of the app's certificate"
    if "expired" in message:
        return "renew the app's certificate, or set 'verify: false' in 'upstream-tls'"
    return (
        f"put the root certificate of the app's CA into {CUSTOM.path} and name it as 'ca' in 'upstream-tls', "
        "or set 'verify: false' there"
    )
