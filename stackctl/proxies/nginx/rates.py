"""nginx: limits of requests, counted in zones that all sites share.

A zone counts by the value of one variable, and counts nothing where that is empty. So each place sets the variables: to
the site's or the route's own mark with the client's address behind it. One zone for each rate is then enough for all.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from stackctl.model.limits import CountedBy, Rate
from stackctl.model.routing import Site
from stackctl.model.tuning import Tuning
from stackctl.proxies.nginx.lines import any_of, path_regex
from stackctl.proxies.nginx.maps import Map
from stackctl.proxies.nginx.quoting import literal
from stackctl.proxies.nginx.variables import Variables

CLIENT = "$edge_client"
RETRY_AFTER = "$edge_retry_after"
_WAIT = "$edge_wait"
_AT_ONCE = "$edge_at_once"
_ZONE_AT_ONCE = "at_once"
_ZONE = re.compile(rf'by zone "(?:rate_\d+[sm]_(\d+)|{_ZONE_AT_ONCE})"')
_MB = 1 << 10
_SMALLEST, _FOR_A_PLACE, _LARGEST = _MB, 64, 32 * _MB
"""Of a zone, in KB: nginx keeps 8,000 counts in one MB. When it is full, the oldest make room."""


def _variable(slot: int) -> str:
    return f"$edge_rate{slot}"


def _zone(rate: Rate, slot: int) -> str:
    return f"rate_{str(rate).replace('/', '')}_{slot}"


def limit_of(message: str) -> int | None:
    """Return which limit a message of nginx's is about, as :attr:`~stackctl.proxies.trace.Advice.limit`."""
    found = _ZONE.search(message)
    return None if found is None else int(found[1] or 0)


def is_limited(tuning: Tuning) -> bool:
    """Return whether a request may get 429."""
    return bool(tuning.rates or tuning.connections)


class Rates:
    """The limits of a site: lines for its servers, and for locations with limits of their own."""

    def __init__(self, site: Site, variables: Variables) -> None:
        self._site = site
        self._variables = variables
        self._maps: dict[tuple[int, int], Map] = {}
        self._rates: list[Sequence[Rate]] = [site.tuning.rates]
        self._numbers: list[int] = [site.tuning.connections]

    def server_lines(self) -> list[str]:
        """Return the lines for the servers of the site."""
        tuning = self._site.tuning
        return [*self._of_rates(tuning.rates), *self._of_connections(tuning.connections), *_wait(tuning)]

    def location_lines(self, tuning: Tuning) -> list[str]:
        """Return the lines for a location with ``tuning``; none if its limits are those of the site."""
        around = self._site.tuning
        lines: list[str] = []
        if tuning.rates != around.rates:
            # An empty list inherits those of the site, which then count nothing.
            lines += [f'set {_variable(slot)} "";' for slot in range(1, len(around.rates) + 1) if not tuning.rates]
            lines += self._of_rates(tuning.rates)
        if tuning.connections != around.connections:
            lines += self._of_connections(tuning.connections) if tuning.connections else [f'set {_AT_ONCE} "";']
        return [*lines, *_wait(tuning)] if lines else []

    def maps(self) -> list[Map]:
        """Return the maps of paths, once all lines are rendered."""
        return list(self._maps.values())

    def _of_rates(self, rates: Sequence[Rate]) -> Iterator[str]:
        # Routes of one block have the same limits in the file, and count together; equal ones of two blocks do not.
        block = next((number for number, known in enumerate(self._rates) if known is rates), None)
        if block is None:
            block = len(self._rates)
            self._rates.append(rates)
        for slot, rate in enumerate(rates, start=1):
            yield f"set {_variable(slot)} {self._counted(rate, slot, block)};"
            burst = f" burst={rate.burst} nodelay" if rate.burst else ""
            yield f"limit_req zone={_zone(rate, slot)}{burst};"

    def _of_connections(self, number: int) -> Iterator[str]:
        if number not in self._numbers:
            self._numbers.append(number)
        if number:
            yield f"set {_AT_ONCE} {self._value(self._numbers.index(number), CLIENT)};"
            yield f"limit_conn {_ZONE_AT_ONCE} {number};"

    def _counted(self, rate: Rate, slot: int, block: int) -> str:
        value = self._value(block, CLIENT if rate.by is CountedBy.CLIENT else "")
        if not rate.paths:
            return value
        key = (block, slot)
        if key not in self._maps:
            regex = literal(f"~^{any_of([path_regex(path) for path in rate.paths])}")
            self._maps[key] = Map("$uri", self._variables.named(f"rate{len(self._maps) + 1}"), ((regex, value),))
        return self._maps[key].name

    def _value(self, block: int, client: str) -> str:
        mark = hashlib.sha256(self._site.name.encode()).hexdigest()[:12]
        return f'"{mark}.{block} {client}"'


def _wait(tuning: Tuning) -> Iterator[str]:
    if is_limited(tuning):
        yield f"set {_WAIT} {max([1, *(rate.wait for rate in tuning.rates)])};"


@dataclass(frozen=True, slots=True)
class Zones:
    """What all limits of a stack need in the ``http`` block.

    Attributes:
        maps: variables, each with a value where nothing sets it.
        zones: by their names, each as a line.
        lines: the status of a refusal.
    """

    maps: tuple[Map, ...] = ()
    zones: Mapping[str, str] = field(default_factory=dict)
    lines: tuple[str, ...] = ()


def zones_of(sites: Iterable[Site]) -> Zones:
    """Return the zones for the limits of all sites; nothing where there are none."""
    zones: dict[str, tuple[str, int, str]] = {}
    slots, at_once = 0, 0
    for site in sites:
        for tuning in site.tunings:
            for slot, rate in enumerate(tuning.rates, start=1):
                name = _zone(rate, slot)
                _, places, _ = zones.get(name, ("", 0, ""))
                zones[name] = (
                    _variable(slot),
                    places + 1,
                    f" rate={rate.requests}r/{'s' if rate.seconds == 1 else 'm'}",
                )
            slots = max(slots, len(tuning.rates))
            at_once += 1 if tuning.connections else 0
    if not slots and not at_once:
        return Zones()
    # nginx tells addresses by their length: 4 bytes or 16, of which a network of 64 bits is the first half.
    client = Map("$binary_remote_addr", CLIENT, ((literal(r"~(?s)^(.{8}).{8}\z"), '"$1"'),), "$binary_remote_addr")
    over = Map('"$limit_req_status $limit_conn_status"', RETRY_AFTER, (("~REJECTED$|^REJECTED", _WAIT),))
    names = [*(_variable(slot) for slot in range(1, slots + 1)), _AT_ONCE, _WAIT]
    lines = {
        name: f"limit_req_zone {variable} zone={name}:{_size(places)}k{rate};"
        for name, (variable, places, rate) in zones.items()
    }
    if at_once:
        lines[_ZONE_AT_ONCE] = f"limit_conn_zone {_AT_ONCE} zone={_ZONE_AT_ONCE}:{_size(at_once)}k;"
    statuses = ("limit_req_status 429;", "limit_conn_status 429;")
    return Zones((client, over, *(Map('""', name) for name in names)), lines, statuses)


def _size(places: int) -> int:
    """Return the size of a zone in KB: a power of two, so that one more site rarely changes it."""
    return min(_LARGEST, 1 << (max(_SMALLEST, places * _FOR_A_PLACE) - 1).bit_length())


def uncounted(sites: Iterable[Site]) -> list[str]:
    """Return the lines of a location whose requests no limit of ``sites`` counts."""
    tunings = [tuning for site in sites for tuning in site.tunings]
    slots = max((len(tuning.rates) for tuning in tunings), default=0)
    names = [_variable(slot) for slot in range(1, slots + 1)]
    return [f'set {name} "";' for name in (*names, *([_AT_ONCE] if any(one.connections for one in tunings) else []))]
