"""Decide which account of a CA is in use; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from stackctl.certs.renewal import RenewalFile, account_path


def accounts_at(server: str, accounts: Iterable[str]) -> frozenset[str]:
    """Return the ids of the accounts at a CA; ``accounts`` are all, as ``HOST/PATH/ID``."""
    home = account_path(server, "")
    below = (path.removeprefix(home) for path in accounts if path.startswith(home))
    return frozenset(account for account in below if "/" not in account)


def account_in_use(server: str, created: Mapping[str, str], renewals: Iterable[RenewalFile]) -> str | None:
    """Return the account at ``server`` that most certificates are renewed with, else the newest; None without one.

    ``created`` maps the ids of its accounts to when they were made, in a form that sorts.
    """
    used = Counter(file.account for file in renewals if file.server == server and file.account in created)
    if used:
        return min(used, key=lambda account: (-used[account], str(account)))
    return max(created, key=lambda account: (created[account], account), default=None)
