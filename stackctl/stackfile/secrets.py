"""Hides what must not be shown of a Compose file: the URLs of receivers of alerts, whose paths are often secret too."""

from __future__ import annotations

import re

_ALERTS = re.compile(
    r"(?m)^(?P<indent>[ \t]*)(?:-[ \t]+)?[\"']?alerts[\"']?[ \t]*:.*\n?(?:(?P=indent)[ \t-].*\n?|[ \t]*\n)*"
)
_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)[^\s\"'#]*[^\s\"'#\]},]")


def hidden(text: str) -> str:
    """Return the text of a Compose file without the URLs below a key ``alerts``, of which only the schemes are left."""
    return _ALERTS.sub(lambda block: _URL.sub(r"\g<scheme>…", block[0]), text) if "alerts" in text else text
