"""How a server is asked whether it can take requests."""

from __future__ import annotations

from dataclasses import dataclass

EVERY_SECONDS, RISE, FALL = 5, 2, 3
"""The defaults of a server that is asked all the time."""


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """A request that a server answers while it can take others.

    Attributes:
        statuses: the ranges of the statuses of a healthy server.
        timeout: how long one request may take, in seconds.
    """

    path: str
    statuses: tuple[tuple[int, int], ...] = ((200, 399),)
    timeout: float = 3.0

    def __str__(self) -> str:
        return f"{self.path} with {','.join(self.ranges)}"

    @property
    def ranges(self) -> tuple[str, ...]:
        """The statuses of a healthy server, as they are written."""
        return tuple(f"{low}" if low == high else f"{low}-{high}" for low, high in self.statuses)

    def accepts(self, status: int | None) -> bool:
        """Whether a response with ``status`` shows that the server is healthy."""
        return status is not None and any(low <= status <= high for low, high in self.statuses)


@dataclass(frozen=True, slots=True)
class ActiveCheck:
    """A check that the proxy repeats.

    Attributes:
        every: the seconds between two requests to a server.
        rise: good answers in a row until a server gets requests again.
        fall: bad answers in a row until it gets none.
    """

    check: HealthCheck
    every: int = EVERY_SECONDS
    rise: int = RISE
    fall: int = FALL
