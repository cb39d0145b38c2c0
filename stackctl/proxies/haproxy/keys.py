"""HAProxy: the keys of ``x-stackctl`` that it renders; every other one is refused by its line, never ignored."""

from __future__ import annotations

RENDERED = frozenset(
    {
        # Certificates and the stack, which are the same with every proxy.
        *("email", "agree-tos", "ca", "local-domains", "ca-bundle", "eab-kid", "key-type", "rsa-key-size", "profile"),
        *("concurrency", "certbot-hooks", "proxy", "dns", "provider", "credentials", "alias", "propagation", "auth"),
        *("cleanup", "challenge", "certificate", "imported", "file", "key", "chain", "fallback", "days"),
        # Sites.
        *("apps", "redirects", "from", "to", "default", "app", "domains", "canonical", "errors", "intercept-errors"),
        *("maintenance", "message", "page", "until", "allow", "tls", "http3", "keep-old-connections", "log"),
        # Routes and rules.
        *("routes", "path", "exact", "match", "not", "method", "header", "query", "cookie", "source", "priority"),
        *("strip", "redirect", "code", "keep-path", "answer", "status", "text", "content-type", "deny"),
        *("body-size", "connect-timeout", "read-timeout", "send-timeout", "timeouts", "timeout"),
        # Limits.
        *("rate-limit", "requests", "burst", "paths", "by", "connections"),
        # Headers, compression and addresses that are refused.
        *("headers", "preset", "hsts", "subdomains", "preload", "set", "remove", "request", "compress"),
        *("block", "addresses", "lists"),
        # What stands in front of the proxy.
        *("behind", "trusted", "client-ip"),
        # Whose requests are refused by their address.
        *("access", "skip"),
        # Servers.
        *("service", "port", "upstream", "upstreams", "address", "weight", "backup", "max-connections", "drain"),
        *("protocol", "upstream-tls", "verify", "name", "balance", "hash", "sticky", "max-age", "canary", "percent"),
        *("health", "interval", "rise", "fall", "deploy", "before"),
    }
)

REFUSED = {
    "buffering": "HAProxy stores no bodies, and passes them on as they come",
    "streams": "stackctl has no streams with HAProxy yet",
    "client-certificate": "stackctl verifies no clients with HAProxy yet",
    "users": "stackctl asks for no passwords with HAProxy yet",
    "forward-auth": "stackctl asks no auth service with HAProxy yet",
    "satisfy": "stackctl asks for no credentials with HAProxy yet",
}
"""Keys that it does not render, with the reason."""


def refuses(key: str) -> str | None:
    """Return why a key cannot be rendered; None if it can. One that is not known here cannot."""
    return None if key in RENDERED else REFUSED.get(key, "stackctl does not have it with HAProxy yet")
