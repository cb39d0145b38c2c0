"""The TLS settings of each policy, for every proxy: names as OpenSSL has them."""

from __future__ import annotations

from stackctl.model.stack import Stack, TlsPolicy

# https://ssl-config.mozilla.org, guideline 5.7, without the DHE suites.
CIPHERS = {
    TlsPolicy.MODERN: None,
    TlsPolicy.INTERMEDIATE: (
        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
        "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
        "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
    ),
}
"""The suites for TLS 1.2; None where there are none."""

_GROUPS = ("X25519", "prime256v1", "secp384r1")
_HYBRID = ("X25519MLKEM768",)
"""Key exchange that also holds against quantum computers (RFC 9794); an older TLS library refuses its name."""

HYBRID_SINCE = (3, 5)
"""The version of OpenSSL that knows them."""


def groups_of(stack: Stack) -> tuple[str, ...]:
    """Return the groups for key exchange, the preferred one first."""
    return (*(_HYBRID if stack.proxy.hybrid_keys else ()), *_GROUPS)
