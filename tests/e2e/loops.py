"""The loops of proxy and certbot, made quick enough to be watched."""

from __future__ import annotations

import re

from tests.e2e.helpers import Stack

SHORT_INTERVALS = """\
services:
  nginx:
    environment:
      RELOAD_CHECK_SECONDS: "1"
  certbot:
    environment:
      RENEW_SECONDS: "1"
"""


def make_due(stack: Stack, name: str) -> None:
    """Have certbot renew it a hundred years before it expires, hence once with each round of the loop."""
    path = stack.live.parent / f"renewal/{name}.conf"
    text = path.read_text()
    path.write_text(re.sub(r"(?m)^# renew_before_expiry.*\n|^renew_before_expiry.*\n", "", text))
    path.write_text(f"renew_before_expiry = 36500 days\n{path.read_text()}")
