"""The file by which the proxy tells a load balancer that this host takes no more requests."""

from __future__ import annotations

from pathlib import Path

from stackctl.adapters.disk.files import host_errors, write_whole
from stackctl.proxies.proxy import ProxyLayout


def is_drained(root: Path, layout: ProxyLayout) -> bool:
    """Return whether this host is drained."""
    return _file(root, layout).exists()


def set_drained(root: Path, layout: ProxyLayout, *, drained: bool) -> None:
    """Drain this host, or let it take requests again; it stays so after a reload and a restart.

    Raises:
        HostError: the file cannot be written or deleted.
    """
    path = _file(root, layout)
    with host_errors():
        if drained:
            write_whole(path, b"'stackctl maintenance host off' deletes this file.\n")
        else:
            path.unlink(missing_ok=True)


def _file(root: Path, layout: ProxyLayout) -> Path:
    return root / layout.directory / layout.draining
