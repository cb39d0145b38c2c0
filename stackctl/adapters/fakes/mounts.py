"""What the fake proxy's container sees of the stack's directory: only what is mounted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from stackctl.model.layout import STAMPS
from stackctl.model.project import Service
from stackctl.proxies.proxy import ProxyLayout


class FakeMounts:
    """The mounts of the proxy's container in the directory ``root``."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._only: Mapping[str, str] | None = None

    @contextmanager
    def only(self, mounts: Mapping[str, str]) -> Iterator[None]:
        """Let the program see ``mounts``, from stack path to container path, not those of its running container."""
        before, self._only = self._only, mounts
        try:
            yield
        finally:
            self._only = before

    def on_host(self, path: str, running: Sequence[Service], layout: ProxyLayout) -> Path:
        """Return where a path of the container is on the host."""
        mounts = {at.path: at.mount for at in (STAMPS, layout.place)}
        for service in running:
            if service.role == "proxy":
                mounts = {mount.source: mount.target for mount in service.mounts}
        for source, target in (mounts if self._only is None else self._only).items():
            if path == target or path.startswith(f"{target}/"):
                return self._root / source / path.removeprefix(target).lstrip("/")
        return self._root / "nowhere"
