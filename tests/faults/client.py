"""A client that sends requests continuously and counts the lost ones."""

from __future__ import annotations

import http.client
import threading
import time
from types import TracebackType
from typing import Self

from tests.e2e.helpers import Secure, trusting

PACE = 0.02


class Client(threading.Thread):
    """Sends about fifty requests a second to one site, over one keep-alive connection."""

    def __init__(self, address: str, name: str, root: str | None) -> None:
        super().__init__(name=f"client of {name}", daemon=True)
        self._address = address
        self._site = name
        self._context = trusting(root)
        self._over = threading.Event()
        self.requests = 0
        self.errors: list[str] = []
        self.lost: list[float] = []

    def run(self) -> None:
        connection = self._open()
        while not self._over.wait(PACE):
            self.requests += 1
            try:
                connection.request("GET", "/healthz")
                response = connection.getresponse()
                response.read()
                if response.status != 200:
                    self._failed(f"status {response.status}")
            except (OSError, http.client.HTTPException) as error:
                self._failed(repr(error))
                connection.close()
                connection = self._open()
        connection.close()

    def _failed(self, error: str) -> None:
        self.errors.append(error)
        self.lost.append(time.monotonic())

    def _open(self) -> Secure:
        return Secure(self._address, self._site, self._context, seconds=10)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self.join(15)
