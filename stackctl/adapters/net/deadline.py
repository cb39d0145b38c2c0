"""One deadline for the whole of a look at a server, and a bound on what it may send.

The timeout of a socket is for one call: a server that sends a byte a second never exceeds it.
"""

from __future__ import annotations

import time

_MOST_BYTES = 256 * 1024


class TooManyBytes(OSError):
    """The server sent more than a look reads."""


class Deadline:
    """The end of one look, in time and in received bytes.

    Args:
        seconds: how long the look may take from now on.
        most_bytes: how many bytes it may receive.
        within: the deadline of a longer look that this one is a part of.
    """

    def __init__(self, seconds: float, *, most_bytes: int = _MOST_BYTES, within: Deadline | None = None) -> None:
        end = time.monotonic() + seconds
        self._end: float = end if within is None else min(end, within._end)  # noqa: SLF001  (of its own class)
        self._bytes_left = most_bytes

    @property
    def passed(self) -> bool:
        """Whether no time is left."""
        return time.monotonic() >= self._end

    def left(self) -> float:
        """Return the seconds that are left, more than 0.

        Raises:
            TimeoutError: none are.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left

    def received(self, count: int) -> None:
        """Count received bytes.

        Raises:
            TooManyBytes: the server sends without an end.
        """
        self._bytes_left -= count
        if self._bytes_left < 0:
            raise TooManyBytes("it sends without an end")
