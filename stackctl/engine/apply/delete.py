"""Delete a certificate with its key and its copy."""

from __future__ import annotations

from stackctl.certs.held import Held
from stackctl.engine.context import Context
from stackctl.model.stack import Stack


def delete_certificate(context: Context, project: str, stack: Stack, held: Held, *, stored: bool) -> None:
    """Delete a certificate; with ``stored`` also what is stored for its site: an imported one or the dummy.

    Raises:
        StackctlError: it is still there.
    """
    issuer = context.issuers.get(held.source)
    if issuer is not None:  # else only the stored pair, a dummy
        issuer.delete(context, project, stack, held)
    if held.lineage is not None:
        context.directory.remove_copy(held.lineage)
    if stored:
        context.directory.remove_pair(held.site)
