"""Collect the facts that :mod:`stackctl.diagnose.dns` checks, for many names in parallel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

from stackctl.diagnose.caa import IDENTITIES
from stackctl.diagnose.dns import CaaFacts, NameFacts, ProbeFile
from stackctl.model.endpoints import HTTP_PORT, PortBinding
from stackctl.model.values import Domain
from stackctl.observed.network import Answer, CaDirectory, Fetched, Lookup, Network

_AT_ONCE = 32
_MOST_ADDRESSES = 8
"""Of one family under one name; more belong to a CDN and behave alike."""


@dataclass(frozen=True, slots=True)
class Target:
    """What names must resolve to.

    Attributes:
        ca: the CA's ACME directory, or a function that fetches it: it is called only if there are CAA records.
        probe_file: the file to fetch, or why nothing is fetched.
        http: where the proxy is published, or None.
    """

    ca: CaDirectory | Callable[[], CaDirectory]
    probe_file: ProbeFile | str
    http: PortBinding | None = None
    generation: str | None = None


def look_up(network: Network, names: Sequence[Domain], target: Target) -> list[NameFacts]:
    """Return the facts of each name, in order."""
    own = network.own_addresses()
    lookup = cache(network.lookup)  # names of one domain share their parent domains

    @cache
    def identities() -> tuple[str, ...] | None:
        ca = target.ca if isinstance(target.ca, CaDirectory) else target.ca()
        return IDENTITIES.get(ca.url) or ca.identities

    def look(name: Domain) -> NameFacts:
        v4, v6 = network.lookup(name, "A"), network.lookup(name, "AAAA")
        found = bool(v4.records or v6.records)
        fetched = _fetch(network, name, v4, v6, target.probe_file) if isinstance(target.probe_file, ProbeFile) else None
        return NameFacts(
            name,
            v4,
            v6,
            caa=_caa(lookup, name, identities) if found else None,
            fetched=fetched,
            unfetched=target.probe_file if isinstance(target.probe_file, str) else None,
            probe_file=target.probe_file if isinstance(target.probe_file, ProbeFile) else None,
            own=own,
            http=target.http,
            generation=target.generation,
            public=isinstance(target.ca, CaDirectory) and target.ca.url in IDENTITIES,
        )

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(look, names))


def _fetch(network: Network, name: Domain, v4: Lookup, v6: Lookup, probe_file: ProbeFile) -> tuple[Fetched, ...]:
    """Fetch the probe file from each address in parallel: a name takes as long as its slowest address."""
    addresses = (*v4.records[:_MOST_ADDRESSES], *v6.records[:_MOST_ADDRESSES])
    with ThreadPoolExecutor(len(addresses) or 1) as pool:
        return tuple(pool.map(lambda at: network.fetch(at, HTTP_PORT, name, probe_file.path), addresses))


def _caa(lookup: Callable[[str, str], Lookup], name: str, identities: Callable[[], tuple[str, ...] | None]) -> CaaFacts:
    """Return the first CAA records found from the name up to its top-level domain."""
    at = name
    while True:
        found = lookup(at, "CAA")
        _, dot, above = at.partition(".")
        if found.records:
            return CaaFacts(found, at, identities())
        if found.answer in {Answer.FAILED, Answer.SILENT} or not dot:
            return CaaFacts(found, at)
        at = above
