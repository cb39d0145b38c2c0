"""Tell the CA another contact address of the account in use."""

from __future__ import annotations

from stackctl.certs.accounts import contact_command
from stackctl.certs.issuer.single import BUSY
from stackctl.engine.context import Context
from stackctl.engine.waiting import wait_for
from stackctl.errors import EngineError
from stackctl.model.stack import Stack
from stackctl.observed.containers import Output
from stackctl.plan.contact import UpdateContact

_SECONDS = 90.0


def update_contact(context: Context, project: str, stack: Stack, operation: UpdateContact) -> None:
    """Update the account with certbot, in its container.

    Raises:
        EngineError: the CA refuses, or another certbot does not end.
    """
    container = context.orchestrator.containers(project).require(stack.certbot)
    acme, account = stack.acme, context.directory.certbot_tree().ambiguous_account(stack.acme.directory)
    command = contact_command(acme.directory, account, operation.email)

    def attempt() -> Output | None:
        done = context.containers.execute(container.id, command)
        return None if done.code and BUSY in done.text else done

    done = wait_for(attempt, _SECONDS)
    if done is None or done.code:
        lines = done.text.strip().splitlines() if done is not None else ["another certbot is running"]
        raise EngineError(
            f"the CA has the contact address of before: {lines[-1] if lines else 'certbot failed'}",
            hint="correct 'email' in x-stackctl, or run the same command again",
        )
