"""HAProxy: limits of requests, counted in stick tables.

A leaky bucket lets ``burst`` requests and one more pass at once, then one for each share of the rate that has gone by.
Here as many pass in any time in which the rate gives them back, which is the same in the long run. Only requests that
pass are counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    """The limits of one site."""

    site: Site
    _blocks: list[Sequence[Rate]] = field(default_factory=list)

    def lines(self, tuning: Tuning) -> list[str]:
        """Return the lines of a back end with ``tuning``, before all that answers."""
        if not tuning.rates and not tuning.connections:
            return []
        slots = len(tuning.rates)
        counted: list[str] = []
        for slot, rate in enumerate(tuning.rates):
            counted += self._of_rate(rate, slot, self._table(tuning.rates, slot))
        if tuning.connections:
            counted += self._of_connections(tuning.connections, slots)
        wait = max([1, *(rate.wait for rate in tuning.rates)])
        return [
            *counted,
            f"http-after-response set-header Retry-After {wait} if {{ var({_WAIT}) -m bool }}",
            f"http-request deny deny_status 429 if {{ var({_WAIT}) -m bool }}",
            *(f"http-request sc-inc-gpc0({slot}) if {{ sc_tracked({slot}) }}" for slot in range(slots)),
        ]

    def _table(self, rates: Sequence[Rate], slot: int) -> str:
        # Routes of one block have the same limits in the file, and count together; equal ones of two blocks do not.
        block = next((number for number, known in enumerate(self._blocks) if known is rates), None)
        if block is None:
            block = len(self._blocks)
            self._blocks.append(rates)
        return backend_of(self.site.name, f"rate{block}.{slot + 1}")

    def _of_rate(self, rate: Rate, slot: int, table: str) -> Iterator[str]:
        key = _CLIENT if rate.by is CountedBy.CLIENT else "int(1)"
        paths = " ".join(regex(path_regex(path)) for path in rate.paths)
        condition = f" if {{ var(txn.path) -m reg {paths} }}" if rate.paths else ""
        yield f"http-request track-sc{slot} {key} table {table}{condition}"
        yield f"http-request set-var({_WAIT}) bool(true) if {{ sc_gpc0_rate({slot}) ge {rate.burst + 1} }}"

    def _of_connections(self, number: int, slot: int) -> Iterator[str]:
        yield f"http-request track-sc{slot} {_CLIENT} table {self._at_once(number)}"
        yield f"http-request set-var({_WAIT}) bool(true) if {{ sc_conn_cur({slot}) gt {number} }}"

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


def counters(stack: Stack) -> int | None:
    """Return how many counters a request needs; None if HAProxy has so many by itself."""
    most = max((len(one.rates) + bool(one.connections) for site in stack.sites for one in site.tunings), default=0)
    return most if most > _COUNTERS else None
