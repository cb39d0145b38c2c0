"""The last answer to a slow question: pages show it at once, while a newer one is fetched beside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Lock, Thread
from time import monotonic
from typing import Generic, TypeVar

from anyio.to_thread import run_sync

from stackctl.errors import StackctlError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """An answer, or the error instead of it, and when it was given (``time.monotonic``)."""

    value: T | None
    error: StackctlError | None
    at: float

    @property
    def age(self) -> float:
        """How old it is, in seconds."""
        return monotonic() - self.at


class Snapshot(Generic[T]):
    """Keeps the last answer of ``ask``, which runs in a thread of its own and never twice at once."""

    def __init__(self, ask: Callable[[], T]) -> None:
        self._ask = ask
        self._lock = Lock()
        self._asking: Event | None = None
        self._stale = False
        self.last: Answer[T] | None = None

    @property
    def is_asking(self) -> bool:
        """Whether a newer answer is on its way."""
        return self._asking is not None

    @property
    def is_stale(self) -> bool:
        """Whether something was changed since the last answer."""
        return self._stale

    def forget(self) -> None:
        """Mark the last answer as old, as something was changed."""
        with self._lock:
            self._stale = True

    def start(self) -> Event:
        """Fetch a newer answer, unless one is being fetched; return what is set when it is there."""
        with self._lock:
            if self._asking is None:
                self._asking, self._stale = Event(), False
                Thread(target=self._fetch, args=(self._asking,), daemon=True).start()
            return self._asking

    async def current(self, *, fresh: float, patience: float) -> Answer[T] | None:
        """Return an answer that is at most ``fresh`` seconds old, if one is there within ``patience`` seconds.

        Otherwise the last one, however old it is; None if there was none yet.
        """
        if self.last is None or self._stale or self.last.age > fresh:
            asked = self.start()
            await run_sync(asked.wait, patience, abandon_on_cancel=True)
        return self.last

    def _fetch(self, done: Event) -> None:
        value, problem = None, None
        try:
            value = self._ask()
        except StackctlError as error:
            problem = error
        except Exception as error:  # noqa: BLE001  (the page shows it)
            problem = StackctlError(f"internal error: {type(error).__name__}: {error}")
        with self._lock:
            self.last, self._asking = Answer(value, problem, monotonic()), None
        done.set()
