"""Clients that send requests while something is changed, and count what is lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.e2e.helpers import Secure, Stack, trusting

PAUSE = 0.02
"""Seconds between two requests of a client: that leaves the cores to what is under test."""


@dataclass
class Tally:
    """What clients under load have seen."""

    served: int = 0
    lost: list[str] = field(default_factory=list)


@contextmanager
def load(stack: Stack, *names: str, path: str = "/", roots: str = "") -> Iterator[Tally]:
    """Clients that keep their connections, two for each name, until the block ends; they trust ``roots`` too."""
    tally, over = Tally(), threading.Event()
    context = trusting(f"{stack.lab.root}{roots}")

    def client(name: str) -> None:
        connection = Secure(stack.address, name, context)
        while not over.wait(PAUSE):
            try:
                connection.request("GET", path)
                response = connection.getresponse()
                response.read()
                if response.status != 200:
                    tally.lost.append(f"{name}: {response.status}")
            except (OSError, ValueError) as error:
                tally.lost.append(f"{name}: {error!r}")
                connection.close()
            tally.served += 1
        connection.close()

    threads = [threading.Thread(target=client, args=(name,)) for name in names for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield tally
    finally:
        over.set()
        for thread in threads:
            thread.join(20)
