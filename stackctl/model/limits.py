"""How many requests a client may make, and how many at once."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

from stackctl.errors import InputError
from stackctl.model.matching import PathMatch

MOST_REQUESTS = 100_000
"""Of a rate, and of a burst: proxies count in thousandths, in 32 bits."""

MOST_CONNECTIONS = 65_535
MOST_RATES = 8
"""Of one site or route: each is one more look-up for every request."""

_RATE = re.compile(r"(?P<requests>[1-9][0-9]{0,6})/(?P<unit>[a-z]+)\Z")
_SECONDS = {"s": 1, "m": 60}


class CountedBy(StrEnum):
    """What has a count of its own: a client is an IPv4 address, or an IPv6 network of 64 bits."""

    CLIENT = "client"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Rate:
    """A limit of requests in a time.

    Attributes:
        requests: how many in ``seconds``, which is 1 or 60, evenly spread.
        burst: how many more may come at once.
        paths: prefixes of the paths that it is for; none for all of the site or the route.
        where: ``file:line`` of the key.
    """

    requests: int
    seconds: int
    burst: int
    paths: tuple[PathMatch, ...] = ()
    by: CountedBy = CountedBy.CLIENT
    where: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.requests}/{'s' if self.seconds == 1 else 'm'}"

    @property
    def wait(self) -> int:
        """After how many seconds one more request is accepted."""
        return -(-self.seconds // self.requests)


def rate(text: str) -> tuple[int, int]:
    """Return ``text``, such as ``10/s`` or ``60/m``, as a number of requests, and the seconds that it is for."""
    match = _RATE.match(text)
    if match is None or match["unit"] not in _SECONDS:
        raise InputError(
            f"{text!r} is not a rate", hint="write the requests in a second or in a minute, such as 10/s or 60/m"
        )
    requests = int(match["requests"])
    if requests > MOST_REQUESTS:
        raise InputError(f"{text!r} is more than {MOST_REQUESTS}", hint="leave the limit out, or write a smaller one")
    return requests, _SECONDS[match["unit"]]
