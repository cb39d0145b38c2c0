"""Send messages by Apprise, the optional extra ``[notify]``: to what the certbot container cannot reach."""

from __future__ import annotations

import importlib
import logging
from typing import Any


def notify(url: str, title: str, text: str) -> str | None:
    """Send a message to what Apprise makes of a URL, and return why it was not sent, or None; it quotes no URL."""
    try:
        apprise: Any = importlib.import_module("apprise")
    except ImportError:
        return "Apprise is not installed: pip install 'compose-stackctl[notify]'"
    logging.getLogger("apprise").addHandler(logging.NullHandler())  # its messages quote URLs
    logging.getLogger("apprise").propagate = False
    sender = apprise.Apprise()
    if not sender.add(url):
        return "Apprise does not know such a URL"
    return None if sender.notify(title=title, body=text) else "it did not take the message"
