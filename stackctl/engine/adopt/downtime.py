"""Measure how long a proxy does not answer while it is replaced."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

_PAUSE = 0.01


class DowntimeMeter(threading.Thread):
    """Polls whether the proxy answers; ``answers`` must return quickly."""

    def __init__(self, answers: Callable[[], bool]) -> None:
        super().__init__(name="downtime-meter", daemon=True)
        self._answers = answers
        self._over = threading.Event()
        self._last_good: float | None = None
        self._failing = False
        self._seconds = 0.0

    def run(self) -> None:
        """Poll until the meter is closed."""
        while not self._over.wait(_PAUSE):
            self._poll()

    def _poll(self) -> None:
        started = time.monotonic()
        good = self._answers()
        if good:
            if self._failing and self._last_good is not None:
                self._seconds += time.monotonic() - self._last_good
            self._last_good, self._failing = started, False
        else:
            self._failing = True

    @property
    def milliseconds(self) -> int:
        """The sum of all gaps, each from the last answer before it to the first one after it."""
        return round(self._seconds * 1000)

    @property
    def has_answered(self) -> bool:
        """Whether there was any answer."""
        return self._last_good is not None

    def __enter__(self) -> Self:
        self._poll()
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self.join()
        self._poll()
