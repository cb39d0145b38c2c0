"""Finds files of the user with a wrong mode, for ``up`` and ``doctor``."""

from __future__ import annotations

from stackctl.diagnose.permissions import Mode
from stackctl.engine.context import Context
from stackctl.engine.probe.permissions import open_to_others, unreadable
from stackctl.model.stack import Stack


def unreadable_files(context: Context, stack: Stack) -> tuple[Mode, ...]:
    """Return the files that the proxy's workers cannot read, and those with passwords that others can, with their mode.

    Raises:
        HostError: a custom file that names them cannot be read.
    """
    proxy = context.proxy_of(stack)
    names = proxy.read_by_workers(context.directory.custom(proxy.layout))
    root = context.directory.root
    users = (page.path for page in stack.users_files)
    return (*unreadable(root, proxy.layout.custom, names), *open_to_others(root, users))
