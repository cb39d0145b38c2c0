"""nginx: the TLS settings of each policy."""

from __future__ import annotations

from stackctl.model.stack import Stack, TlsPolicy
from stackctl.proxies.tls import CIPHERS, groups_of
from stackctl.templates import render

_PROTOCOLS = {TlsPolicy.MODERN: "TLSv1.3", TlsPolicy.INTERMEDIATE: "TLSv1.2 TLSv1.3"}


def tls_snippet(stack: Stack) -> str:
    """Return ``snippets/tls.conf``."""
    return render(
        "nginx/snippets/tls.conf.j2",
        policy=stack.tls.value,
        protocols=_PROTOCOLS[stack.tls],
        ciphers=CIPHERS[stack.tls],
        groups=":".join(groups_of(stack)),
    )
