"""nginx: the TLS settings of each policy."""

from __future__ import annotations

from stackctl.model.stack import Stack, TlsPolicy
from stackctl.templates import render

_PROTOCOLS = {TlsPolicy.MODERN: "TLSv1.3", TlsPolicy.INTERMEDIATE: "TLSv1.2 TLSv1.3"}
# https://ssl-config.mozilla.org, guideline 5.7, without the DHE suites.
_CIPHERS = {
    TlsPolicy.MODERN: None,
    TlsPolicy.INTERMEDIATE: (
        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
        "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
        "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
    ),
}

_GROUPS = ("X25519", "prime256v1", "secp384r1")
_HYBRID = ("X25519MLKEM768",)
"""Key exchange that also holds against quantum computers (RFC 9794); an older TLS library refuses its name."""


def tls_snippet(stack: Stack) -> str:
    """Return ``snippets/tls.conf``."""
    return render(
        "nginx/snippets/tls.conf.j2",
        policy=stack.tls.value,
        protocols=_PROTOCOLS[stack.tls],
        ciphers=_CIPHERS[stack.tls],
        groups=":".join((*(_HYBRID if stack.proxy.hybrid_keys else ()), *_GROUPS)),
    )
