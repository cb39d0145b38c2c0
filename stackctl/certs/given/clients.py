"""Reads the files by which a proxy verifies certificates of clients."""

from __future__ import annotations

from datetime import datetime

from cryptography import x509


def end_of(content: bytes) -> datetime | None:
    """Return when certificates of CAs, or a list of revoked ones, all in PEM, have expired; None for never.

    Raises:
        ValueError: it is neither.
    """
    if b"BEGIN X509 CRL" in content:
        return x509.load_pem_x509_crl(content).next_update_utc
    return max(one.not_valid_after_utc for one in x509.load_pem_x509_certificates(content))
