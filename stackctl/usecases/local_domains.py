"""Refuses domains that the stack's own CA must not issue for: a stolen key of it would be worth something."""

from __future__ import annotations

from stackctl.certs.policy import is_public_suffix
from stackctl.errors import StackfileError
from stackctl.model.stack import Stack
from stackctl.stackfile.document import Document
from stackctl.stackfile.keys import KEY


def refuse_wide_domains(doc: Document, stack: Stack) -> None:
    """Refuse a domain in ``local-domains`` below which anyone can register names.

    Raises:
        StackfileError: with its line.
    """
    for index, domain in enumerate(stack.acme.local_domains):
        if is_public_suffix(domain):
            raise StackfileError(
                f"names below .{domain} belong to others: the local CA must not issue for them",
                where=doc.where_of((KEY, "local-domains", index)),
                hint="name a domain of your own, such as dev.example.com, or one of no registry, such as dev.lan",
            )
