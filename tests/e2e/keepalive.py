"""Clients that keep their connections and lose nothing silently: each request without a 200 is counted."""

from __future__ import annotations

import http.client
import itertools
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.e2e.helpers import Secure, trusting
from tests.e2e.load import PAUSE

CLIENTS = 8
BODY = b"x" * 2000


@dataclass
class Load:
    """What the clients saw: answers by the app that gave them, and what was lost."""

    answers: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return self.answers.total() + len(self.lost)


@contextmanager
def load(address: str, name: str) -> Iterator[Load]:
    """Let clients ask meanwhile, three of ten requests being a POST; none asks twice.

    To the proxy they are many: each connection is of several programs in turn.
    """
    seen, ended, lock = Load(), threading.Event(), threading.Lock()

    def client(who: int) -> None:
        context = trusting(None)
        connection = Secure(address, name, context)
        for number in itertools.count():
            if ended.is_set():
                break
            method, body = ("POST", BODY) if number % 10 in {2, 5, 8} else ("GET", None)
            try:
                connection.request(method, "/", body, {"User-Agent": f"client {who}.{number % 20}"})
                response = connection.getresponse()
                text = response.read()
                said = _app(text) if response.status == 200 else None
                problem = None if said else f"{method}: {response.status}"
            except (OSError, ssl.SSLError, http.client.HTTPException) as error:
                said, problem = None, f"{method}: {error!r}"
                connection.close()
            with lock:
                if said:
                    seen.answers[said] += 1
                else:
                    seen.lost.append(str(problem))
            ended.wait(PAUSE)
        connection.close()

    threads = [threading.Thread(target=client, args=(who,)) for who in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def _app(text: bytes) -> str:
    """Return the name in what the lab's app answers."""
    _, _, rest = text.partition(b'"app": "')
    return rest.partition(b'"')[0].decode()
