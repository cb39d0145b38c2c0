"""Measure how long a proxy does not answer while it is replaced."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from stackctl.engine.waiting import wait_for

LAST_SECONDS = 10.0
"""How long the last answer is awaited: another port of the proxy answered just before."""

_PAUSE = 0.01

_SURE = 1.0
"""How far apart two answers in a row may be; for longer than that, none of them shows what was in between.

A busy host may need most of a second for a handshake. One that the engine accepts before the container is there takes
longer: the kernel repeats the connection after a second.
"""


class DowntimeMeter(threading.Thread):
    """Polls whether the proxy answers, from :meth:`__enter__` to :meth:`finish`; ``answers`` returns quickly.

    What it cannot vouch for counts as downtime, so visitors never wait longer than :attr:`milliseconds`.
    """

    def __init__(self, answers: Callable[[], bool]) -> None:
        super().__init__(name="downtime-meter", daemon=True)
        self._answers = answers
        self._over = threading.Event()
        self._last_good: float | None = None
        self._last_answer = 0.0
        self._failing = False
        self._seconds = 0.0

    def run(self) -> None:
        """Poll until the meter is finished."""
        while not self._over.wait(_PAUSE):
            self._poll()

    def _poll(self) -> bool:
        started = time.monotonic()
        good = self._answers()
        if good:
            if self._last_good is not None:
                self._count(since=self._last_good)
            self._last_good, self._last_answer, self._failing = started, time.monotonic(), False
        else:
            self._failing = True
        return good

    def _count(self, since: float) -> None:
        now = time.monotonic()
        if self._failing or now - self._last_answer > _SURE:
            self._seconds += now - since

    @property
    def milliseconds(self) -> int | None:
        """The sum of all gaps, each from the last answer before it to the next one; None if there was no first answer.

        A gap that has not ended counts up to the last poll before :meth:`finish` returned.
        """
        return None if self._last_good is None else round(self._seconds * 1000)

    def finish(self) -> None:
        """Stop as soon as there is an answer; does nothing if it has stopped."""
        if not self._end() or self._last_good is None:
            return
        if wait_for(lambda: self._poll() or None, LAST_SECONDS) is None:
            self._count(since=self._last_good)

    def _end(self) -> bool:
        """Stop the thread; return whether it was running."""
        running = self.is_alive()
        self._over.set()
        if running:
            self.join()
        return running

    def __enter__(self) -> Self:
        # Only what answers before anything is replaced can be down: else the first answer is that of the new proxy.
        if self._poll():
            self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.finish()
        else:
            self._end()
