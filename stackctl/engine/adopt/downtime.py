"""How long a proxy did not answer while it was replaced."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

_PAUSE = 0.01


class DowntimeMeter(threading.Thread):
    """Asks again and again whether the proxy answers; ``answers`` must not wait long."""

    def __init__(self, answers: Callable[[], bool]) -> None:
        super().__init__(name="prober", daemon=True)
        self._answers = answers
        self._over = threading.Event()
        self._last_good: float | None = None
        self._failing = False
        self._seconds = 0.0

    def run(self) -> None:
        """Until it is told to end."""
        while not self._over.wait(_PAUSE):
            self._ask()

    def _ask(self) -> None:
        begun = time.monotonic()
        good = self._answers()
        if good:
            if self._failing and self._last_good is not None:
                self._seconds += time.monotonic() - self._last_good
            self._last_good, self._failing = begun, False
        else:
            self._failing = True

    @property
    def milliseconds(self) -> int:
        """From the last answer before to the first one after, for every time it did not answer."""
        return round(self._seconds * 1000)

    @property
    def has_answered(self) -> bool:
        """Whether there ever was an answer."""
        return self._last_good is not None

    def __enter__(self) -> Self:
        self._ask()
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self.join()
        self._ask()
