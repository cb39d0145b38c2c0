"""Finds files of the user that the proxy's workers cannot read, for ``up`` and ``doctor``."""

from __future__ import annotations

from stackctl.diagnose.permissions import Mode
from stackctl.engine.context import Context
from stackctl.engine.probe.permissions import unreadable
from stackctl.model.stack import Stack


def unreadable_files(context: Context, stack: Stack) -> tuple[Mode, ...]:
    """Return the unreadable files, with the mode that each needs.

    Raises:
        HostError: a custom file that names them cannot be read.
    """
    proxy = context.proxy_of(stack)
    names = proxy.read_by_workers(context.directory.custom(proxy.layout))
    return tuple(unreadable(context.directory.root, proxy.layout.custom, names))
