"""Decide which account of a CA is in use, and what it is told; pure."""

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


def contact_command(server: str, account: str | None, email: str | None) -> list[str]:
    """Return certbot's command that gives an account another contact address, or none.

    ``account`` says which one, where there are several at ``server``.
    """
    command = ["certbot", "update_account", "--non-interactive", "--no-eff-email", "--server", server]
    command += ["--account", account] if account else []
    return [*command, *(["--email", email] if email else ["--register-unsafely-without-email"])]
