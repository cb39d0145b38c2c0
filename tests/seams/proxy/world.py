"""A stack with the second proxy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from stackctl.observed.delivery import Delivery
from tests.seams.proxy.layout import EDGE, LAYOUT
from tests.seams.proxy.program import FakeToy
from tests.usecases.world import OPTIONS, World

TOY = replace(OPTIONS, proxy="toy")


class ToyWorld(World):
    """A stack directory, and a fake engine on which the second proxy's program runs."""

    def __init__(self, root: Path, cache: Path | None = None) -> None:
        super().__init__(root, cache)
        self.fake.proxy = FakeToy()
        self.fake.images = {image: ports for image, ports in self.fake.images.items() if "nginx" not in image}
        self.fake.images["toy:3"] = (80, 443)

    @property
    def delivery(self) -> Delivery:
        """What brings the second proxy's files."""
        return self.host.delivery(LAYOUT)

    def custom(self, name: str, text: str) -> None:
        """Write one of the user's own files."""
        (self.root / EDGE.path / "custom" / name).write_text(text)

    def lines(self, path: str) -> list[str]:
        """The lines of a live file."""
        return self.live()[path].decode().splitlines()
