"""Tell the CA the contact address of the account, once ``email`` has changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stackctl.model.stack import Stack
from stackctl.observed.state import Observed
from stackctl.plan.intent import Intent
from stackctl.plan.operation import Operation


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateContact(Operation):
    """Update the contact address of the account at the CA; None removes it."""

    email: str | None

    @property
    def text(self) -> str:
        """A short description of what it does."""
        return f"tell the CA the contact address {self.email}" if self.email else "remove the contact address at the CA"


def contact_operations(stack: Stack, intent: Intent, observed: Observed) -> Iterator[UpdateContact]:
    """Yield the update if the address has changed, and there is an account that has the old one."""
    if intent.contact_changed and observed.settings.account is not None and not stack.acme.local:
        yield UpdateContact(email=stack.acme.email, cause="'email' changed", scope=f"service:{stack.certbot}")
