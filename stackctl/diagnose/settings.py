"""Check that nothing in certbot's tree governs all renewals from outside ``x-stackctl``."""

from __future__ import annotations

from collections.abc import Sequence

from stackctl.diagnose.check import Check, ok, wrong
from stackctl.model.layout import CERTBOT_CONF, CLI_INI
from stackctl.wording import listed

SETTINGS = "renewal-settings"


def judge_settings(service: str, changes: Sequence[str]) -> Check:
    """Check ``cli.ini`` and the hooks; ``changes`` are what ``up`` would do about them."""
    if not changes:
        return ok(SETTINGS, "no cli.ini and no hook governs renewals", service)
    text = f"{(CERTBOT_CONF / CLI_INI).path} or hooks next to it govern all renewals: {listed(changes)}"
    todo = "run 'stackctl up', which disables them; to keep hooks, set 'certbot-hooks: true' in x-stackctl"
    return wrong(SETTINGS, text, todo, service)
