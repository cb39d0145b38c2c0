"""Refuses streams that cannot work, before anything is written."""

from __future__ import annotations

from stackctl.errors import StackfileError
from stackctl.model.stack import Stack


def refuse_unable(stack: Stack) -> None:
    """Refuse streams if the proxy's image has none; ``stack`` is fitted to it.

    Raises:
        StackfileError: with the place of the first.
    """
    if stack.streams and stack.proxy.streams is None:
        raise StackfileError(
            f"the image {stack.proxy.image} cannot pass streams on: its proxy has no stream module",
            where=stack.streams[0].where,
            hint="use an image that has it: the official ones do; Debian has it in a package of its own",
        )
