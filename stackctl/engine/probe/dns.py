"""Collect the facts that :mod:`stackctl.diagnose.dns` checks, for many names in parallel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache

from stackctl.diagnose.caa import DNS, IDENTITIES
from stackctl.diagnose.dns import CaaFacts, NameFacts, ProbeFile
from stackctl.model.endpoints import HTTP_PORT, PortBinding
from stackctl.model.values import Domain
from stackctl.model.wildcards import is_wildcard, sample
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
    unfetched: Mapping[Domain, str] = field(default_factory=dict)
    """Names for which nothing is fetched, with the reason."""


def look_up(network: Network, names: Sequence[Domain], target: Target) -> list[NameFacts]:
    """Return the facts of each name, in order."""
    own = network.own_addresses()
    lookup = cache(network.lookup)  # names of one domain share their parent domains

    @cache
    def identities() -> tuple[str, ...] | None:
        ca = target.ca if isinstance(target.ca, CaDirectory) else target.ca()
        return IDENTITIES.get(ca.url) or ca.identities

    def look(name: Domain) -> NameFacts:
        asked = sample(name)
        v4, v6 = network.lookup(asked, "A"), network.lookup(asked, "AAAA")
        found = bool(v4.records or v6.records)
        file = target.unfetched.get(name, target.probe_file)
        fetched = _fetch(network, asked, v4, v6, file) if isinstance(file, ProbeFile) else None
        return NameFacts(
            name,
            v4,
            v6,
            caa=_caa(lookup, name, identities) if found else None,
            fetched=fetched,
            unfetched=file if isinstance(file, str) else None,
            probe_file=file if isinstance(file, ProbeFile) else None,
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


def caa_of(network: Network, names: Sequence[Domain], ca: Callable[[], CaDirectory]) -> list[CaaFacts]:
    """Return the CAA records of names that are proved by DNS-01, in order; the CA is fetched if there are any."""
    lookup, directory = cache(network.lookup), cache(ca)

    def look(name: Domain) -> CaaFacts:
        found = _caa(lookup, name.removeprefix("*."), lambda: IDENTITIES.get(directory().url) or directory().identities)
        return replace(found, method=DNS, wild=is_wildcard(name))

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(look, names))


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
