"""The CAs that this host trusts, as its own programs use them."""

from __future__ import annotations

import ssl
import warnings
from functools import cache
from pathlib import Path

from cryptography import x509

_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
"""Where Debian, Red Hat and BSD with macOS keep them, for an OpenSSL that was built elsewhere."""


@cache
def trusted_roots() -> tuple[x509.Certificate, ...]:
    """Return the root certificates; none if this host has no readable bundle of them."""
    own = ssl.get_default_verify_paths().cafile
    for path in (*([own] if own else []), *_BUNDLES):
        try:
            content = Path(path).read_bytes()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # some old roots have odd serial numbers
                return tuple(x509.load_pem_x509_certificates(content))
        except (OSError, ValueError):
            continue
    return ()
