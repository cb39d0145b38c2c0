"""What both proxies answer where a redirect to HTTPS would come back to them over plain HTTP."""

from __future__ import annotations

LOOP_STATUS = 508
LOOP = (
    "This site is reached over plain HTTP by something that ends HTTPS in front of it, and would redirect for ever. "
    "Let it use HTTPS to this server (Cloudflare: SSL/TLS mode Full (strict)), "
    "or write 'behind: {tls: terminated}' with 'trusted' into x-stackctl."
)
