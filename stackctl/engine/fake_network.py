"""The network beyond the fake engine's host: every name leads here unless it is told otherwise."""
# ruff: noqa: D102  (the protocol says what its methods do)

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from stackctl.diagnose.network import CaDirectory
from stackctl.engine.fake import FakeEngine


class FakeNetwork:
    """The :class:`~stackctl.engine.ports.Network` of one stack directory.

    ``ahead`` is how far the host's clock is off; None where no CA answers.
    """

    def __init__(self, root: Path, engine: FakeEngine) -> None:
        self._root, self._engine = root, engine
        self.ahead: timedelta | None = timedelta()

    def take_over(self, other: FakeNetwork) -> None:
        """Be as ``other`` is."""
        self.ahead = other.ahead

    def ca_directory(self, url: str, bundle: bytes | None) -> CaDirectory:
        del bundle
        if self.ahead is None:
            return CaDirectory(url, problem=f"{url} does not answer")
        return CaDirectory(url, self.ahead, ("ca.example",))
