"""Settings that a site or a route has of its own, or takes from what is around it."""

from __future__ import annotations

from dataclasses import dataclass, field

from stackctl.model.access import Access
from stackctl.model.headers import Headers
from stackctl.model.limits import CountedBy, Rate


@dataclass(frozen=True, slots=True)
class Tuning:
    """Settings of one site, or defaults of all.

    Attributes:
        buffering: whether bodies are stored where a side is slower.
        rates: limits of requests in a time.
        connections: how many requests of one client are answered at the same time; 0 for any number.
        headers: what is set and removed in responses and in requests.
        compress: whether text in responses is compressed, for clients that can read it.
        access: who may make requests.
    """

    body_size: str = "64m"
    connect_timeout: str = "5s"
    read_timeout: str = "300s"
    send_timeout: str = "300s"
    buffering: bool = False
    rates: tuple[Rate, ...] = ()
    connections: int = 0
    headers: Headers = field(default_factory=Headers)
    compress: bool = False
    access: Access = field(default_factory=Access)

    @property
    def counts_clients(self) -> bool:
        """Whether the requests of each client are limited."""
        return bool(self.connections) or any(rate.by is CountedBy.CLIENT for rate in self.rates)
