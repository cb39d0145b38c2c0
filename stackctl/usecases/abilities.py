"""Refuses what the image of the proxy cannot do, before anything is written."""

from __future__ import annotations

from stackctl.errors import StackfileError
from stackctl.model.stack import Stack


def refuse_unable(stack: Stack) -> None:
    """Refuse streams, HTTP/3 and checks that the proxy's image cannot make; ``stack`` is fitted to it.

    Raises:
        StackfileError: with the place of the first.
    """
    if stack.streams and stack.proxy.streams is None:
        raise StackfileError(
            f"the image {stack.proxy.image} cannot pass streams on: its proxy has no stream module",
            where=stack.streams[0].where,
            hint="use an image that has it: the official ones do; Debian has it in a package of its own",
        )
    if stack.http3 is not None and not stack.proxy.quic:
        raise StackfileError(
            f"the image {stack.proxy.image} cannot speak HTTP/3",
            where=stack.http3.where,
            hint="use a newer one: the reference of 'http3' says which have it; or remove 'http3'",
        )
    checked = next(stack.checked, None)
    if checked is not None and not stack.proxy.asks:
        site, route, _ = checked
        raise StackfileError(
            f"the image {stack.proxy.image} cannot ask the servers of {site.name}: it needs curl, and getent of glibc",
            where=route.where or site.where,
            hint="use an image that has them, such as the official ones on Debian, or remove 'interval', 'rise' and"
            " 'fall' from 'health'",
        )
