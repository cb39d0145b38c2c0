"""Disable the settings of certbot's ``cli.ini`` that govern renewals from outside the Compose file; pure."""

from __future__ import annotations

import re

# ConfigArgParse's own syntax: 'key = value', 'key: value', 'key value' or 'key', with or without dashes before it.
_ENTRY = re.compile(r"-*(?P<key>[^:=;#\s]+)\s*(?:[:=\s]\s*(?P<value>.*?))?\s*\Z")
_HARMLESS = re.compile(
    r"(?:email|m|agree-tos|(?:no-)?eff-email|register-unsafely-without-email|non-interactive|noninteractive|n|text|t|"
    r"quiet|q|verbose|v+|debug|max-log-backups|preconfigured-renewal|user-agent|user-agent-comment|issuance-timeout|"
    r"preferred-chain|(?:no-)?random-sleep-on-renew|dns-.*|certbot-dns-.*|.*:dns-.*)\Z"
)
"""Settings that change no certificate and no way of renewal, and the credentials of DNS plugins."""

_HOOKS = re.compile(r"(?:pre|post|deploy|renew)-hook\Z")
DISABLED = "# disabled by stackctl: "


def aligned_ini(text: str, *, hooks: bool) -> tuple[str, list[str]]:
    """Return ``cli.ini`` with the governing settings disabled, and a description of each.

    certbot prefers this file to the renewal file of a certificate. ``hooks`` keeps those.
    """
    lines, changes = [], []
    for line in text.splitlines():
        bare = line.strip()
        match = None if not bare or bare[0] in "#;[" or bare.startswith("---") else _ENTRY.match(bare)
        key = match["key"].replace("_", "-").lower() if match else ""
        if not key or _HARMLESS.match(key) or (hooks and _HOOKS.match(key)):
            lines.append(line)
        else:
            lines.append(f"{DISABLED}{bare}")
            changes.append(f"'{bare}' is disabled")
    return ("".join(f"{line}\n" for line in lines), changes) if changes else (text, [])
