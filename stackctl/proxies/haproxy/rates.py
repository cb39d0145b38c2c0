"""HAProxy: limits of requests, counted in stick tables.

A leaky bucket lets ``burst`` requests and one more pass at once, then one for each share of the rate that has gone by.
Here as many pass in any time in which the rate gives them back, which is the same in the long run. Only requests that
pass are counted.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from stackctl.model.limits import CountedBy, Rate
from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.model.tuning import Tuning
from stackctl.proxies.haproxy.layout import backend_of
from stackctl.proxies.haproxy.quoting import regex
from stackctl.proxies.haproxy.rules import path_regex

PEERS = "stackctl"
"""The section by which the counts of the workers before a reload reach those after it."""

_COUNTERS = 3
"""How many counters HAProxy has room for in each request unless more are set."""

_LONGEST = 24 * 86_400_000
"""Milliseconds that HAProxy's times can have: 31 bits."""

_CLIENT = "src,ipmask(32,64)"
_WAIT = "txn.wait"


@dataclass
class Rates:
    """The limits of one site.

    Attributes:
        first: the number of the first counter; the user's own lines have those before it.
    """

    site: Site
    first: int = 0
    _blocks: list[Sequence[Rate]] = field(default_factory=list)

    def lines(self, tuning: Tuning) -> list[str]:
        """Return the lines of a back end with ``tuning``, before all that answers."""
        if not tuning.rates and not tuning.connections:
            return []
        counters = range(self.first, self.first + len(tuning.rates))
        counted: list[str] = []
        for counter, (slot, rate) in zip(counters, enumerate(tuning.rates), strict=True):
            counted += self._of_rate(rate, counter, self._table(tuning.rates, slot))
        if tuning.connections:
            counted += self._of_connections(tuning.connections, counters.stop)
        wait = max([1, *(rate.wait for rate in tuning.rates)])
        return [
            *counted,
            f"http-after-response set-header Retry-After {wait} if {{ var({_WAIT}) -m bool }}",
            f"http-request deny deny_status 429 if {{ var({_WAIT}) -m bool }}",
            *(f"http-request sc-inc-gpc0({counter}) if {{ sc_tracked({counter}) }}" for counter in counters),
        ]

    def _table(self, rates: Sequence[Rate], slot: int) -> str:
        # Routes of one block have the same limits in the file, and count together; equal ones of two blocks do not.
        block = next((number for number, known in enumerate(self._blocks) if known is rates), None)
        if block is None:
            block = len(self._blocks)
            self._blocks.append(rates)
        # Not by its place among all: the workers after a reload look for the counts of a table by its name.
        text = " ".join(f"{rate} {rate.burst} {rate.by} {[*map(str, rate.paths)]}" for rate in rates)
        same = sum(1 for known in self._blocks[:block] if known == rates)
        mark = hashlib.sha256(f"{text} {same}".encode()).hexdigest()[:8]
        return backend_of(self.site.name, f"rate-{mark}-{slot + 1}")

    def _of_rate(self, rate: Rate, counter: int, table: str) -> Iterator[str]:
        key = _CLIENT if rate.by is CountedBy.CLIENT else "int(1)"
        paths = " ".join(regex(path_regex(path)) for path in rate.paths)
        condition = f" if {{ var(txn.path) -m reg {paths} }}" if rate.paths else ""
        yield f"http-request track-sc{counter} {key} table {table}{condition}"
        yield f"http-request set-var({_WAIT}) bool(true) if {{ sc_gpc0_rate({counter}) ge {rate.burst + 1} }}"

    def _of_connections(self, number: int, counter: int) -> Iterator[str]:
        yield f"http-request track-sc{counter} {_CLIENT} table {self._at_once(number)}"
        yield f"http-request set-var({_WAIT}) bool(true) if {{ sc_conn_cur({counter}) gt {number} }}"

    def _at_once(self, number: int) -> str:
        return backend_of(self.site.name, f"at-once{number}")

    def tables(self) -> Iterator[tuple[str, str]]:
        """Yield the name and the table of each back end that only counts, once all lines are rendered."""
        for rates in self._blocks:
            for slot, rate in enumerate(rates):
                kind = "ipv6" if rate.by is CountedBy.CLIENT else "integer"
                span = window(rate)
                store = f"expire {min(2 * span, _LONGEST)}ms store gpc0,gpc0_rate({span}ms) peers {PEERS}"
                yield self._table(rates, slot), f"stick-table type {kind} size 100k {store}"
        for number in sorted({tuning.connections for tuning in self.site.tunings} - {0}):
            yield self._at_once(number), "stick-table type ipv6 size 100k expire 1m store conn_cur"


def window(rate: Rate) -> int:
    """Return the milliseconds in which the requests that may come at once are given back."""
    return min(max(1, (rate.burst + 1) * rate.seconds * 1000 // rate.requests), _LONGEST)


def is_counted(stack: Stack) -> bool:
    """Return whether counts have to outlive a reload."""
    return any(tuning.rates for site in stack.sites for tuning in site.tunings)


_TRACKS = re.compile(rb"\btrack-sc(\d{1,2})\b")


def first_counter(custom: Mapping[str, bytes]) -> int:
    """Return the number behind those of the counters in the user's own lines.

    A counter tracks what the first line with its number says: one that both had would count for one of them alone.
    """
    return max((int(number) + 1 for body in custom.values() for number in _TRACKS.findall(body)), default=0)


def counters(stack: Stack, custom: Mapping[str, bytes]) -> int | None:
    """Return how many counters a request needs; None if HAProxy has so many by itself."""
    most = max((len(one.rates) + bool(one.connections) for site in stack.sites for one in site.tunings), default=0)
    needed = first_counter(custom) + most
    return needed if needed > _COUNTERS else None
