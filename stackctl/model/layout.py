"""Every path of a stack, on the host and in its containers."""

from __future__ import annotations

WEBROOT = "/var/www/certbot"
"""The webroot inside the certbot and proxy containers."""

MARKER_PATH = "/.well-known/stackctl/generation"
"""Where the proxy answers with its generation, for no routed name."""

MARKER_HOST = "stackctl.invalid"
"""A name that can never be routed (RFC 6761), under which the marker is asked for."""

CERTS_MOUNT = "/etc/stackctl/certs"
"""Where the proxy's container sees ``data/certs``."""

LIVE_MOUNT = "/etc/letsencrypt/live"
"""Where the proxy's container sees certbot's live lineages."""
