"""Events that one thread publishes and any number of browsers follow."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import islice
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")

HEARTBEAT_SECONDS = 15.0
"""How often a follower is woken up without an event: so a connection that is gone is noticed."""


@dataclass(frozen=True, slots=True)
class Event(Generic[T]):
    """One event: its number, counted from 1, and what it is."""

    number: int
    value: T


class Feed(Generic[T]):
    """The last ``most`` events; a follower gets those that are kept, then each new one until the feed is closed."""

    def __init__(self, most: int = 2000) -> None:
        self._events: deque[Event[T]] = deque(maxlen=most)
        self._count = 0
        self._closed = False
        self._lock = Lock()
        self._waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()

    @property
    def events(self) -> tuple[Event[T], ...]:
        """Those that are kept."""
        with self._lock:
            return tuple(self._events)

    def publish(self, value: T) -> None:
        """Add an event; from any thread."""
        with self._lock:
            self._count += 1
            self._events.append(Event(self._count, value))
        self._wake()

    def close(self) -> None:
        """End all followers once they have everything."""
        with self._lock:
            self._closed = True
        self._wake()

    async def follow(self, after: int = 0) -> AsyncIterator[Event[T] | None]:
        """Yield the events after number ``after``; None from time to time if there is none."""
        place = (asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            self._waiting.add(place)
        try:
            while True:
                place[1].clear()
                with self._lock:
                    new, closed = self._after(after), self._closed
                for event in new:
                    after = event.number
                    yield event
                if closed and not new:
                    return
                if not new:
                    try:
                        await asyncio.wait_for(place[1].wait(), HEARTBEAT_SECONDS)
                    except TimeoutError:
                        yield None
        finally:
            with self._lock:
                self._waiting.discard(place)

    def _after(self, number: int) -> list[Event[T]]:
        """Return the events after a number; only those are looked at, as most are kept for long."""
        left = max(0, min(len(self._events), self._count - number))
        return list(islice(reversed(self._events), left))[::-1]

    def _wake(self) -> None:
        with self._lock:
            places = tuple(self._waiting)
        for loop, event in places:
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)
