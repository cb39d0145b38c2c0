"""The port by which the files of a proxy come to its containers, one complete generation at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from stackctl.model.project import Project
from stackctl.observed.containers import Output
from stackctl.proxies.proxy import Files


@dataclass(frozen=True, slots=True)
class Staged:
    """A staged generation: a complete set of the proxy's files.

    Attributes:
        name: its id.
        folder: its path in the proxy's container, relative to the mount of the proxy's directory.
        made: False if an earlier generation with the same files was found.
    """

    name: str
    folder: str
    made: bool


class Delivery(Protocol):
    """Deploys the files of one kind of proxy to its containers, one complete generation at a time.

    The live files are complete at every moment, and were accepted by :meth:`test`. Every method raises
    :class:`~stackctl.errors.HostError` when the disk prevents it.
    """

    def published(self) -> str | None:
        """Return the id of the live generation, which the next start or reload of the proxy loads; or None."""

    def live(self) -> dict[str, bytes]:
        """Return the files of the live generation, without its marker."""

    def missing(self) -> tuple[str, ...]:
        """Return the missing entries of the proxy's directory that lead to the live files, as paths in the stack."""

    def in_the_way(self) -> dict[str, str]:
        """Return what else is in the place of an entry, as paths in the stack, each with a free one."""

    def move_aside(self, moves: Mapping[str, str]) -> None:
        """Rename what is :meth:`in_the_way`. Idempotent."""

    def prepare(self) -> None:
        """Create what is :meth:`missing`, after :meth:`move_aside`. Idempotent."""

    def stage(self, files: Files, marker: Callable[[str], bytes]) -> Staged:
        """Write a generation next to the live one, with the marker of its id. Idempotent."""

    def test(self, command: Sequence[str], project: Project, service: str) -> Output:
        """Run the proxy's own test of a staged generation, with the image and mounts of ``service`` but no network.

        Raises:
            EngineError: the test could not be run. A rejected configuration is in the result.
        """

    def go_live(self, generation: str) -> None:
        """Make a staged generation live, atomically. Idempotent."""

    def discard(self, staged: Staged) -> None:
        """Remove a staged generation, unless it existed before: the history may name it, or it may be live."""
