"""Read who is to be contacted about the certificates of an adopted stack."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

_EMAIL = re.compile(r"""^\s*(?:export\s+)?email=["']?(?P<email>[^"'\s#]+)""", re.MULTILINE | re.IGNORECASE)


def contact_of(accounts: Iterable[str], scripts: Iterable[str]) -> str | None:
    """Return the e-mail address of an account, or of a script such as init-letsencrypt.sh; None if there is none."""
    for text in accounts:
        try:
            contacts = (json.loads(text).get("body") or {}).get("contact") or ()
        except (ValueError, AttributeError, RecursionError):
            continue
        for contact in contacts:
            if str(contact).startswith("mailto:"):
                return str(contact).removeprefix("mailto:")
    for text in scripts:
        match = _EMAIL.search(text)
        if match:
            return match["email"]
    return None
