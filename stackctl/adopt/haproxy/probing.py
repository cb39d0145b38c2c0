"""The requests by which a foreign HAProxy is compared with the proxy that is to replace it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from stackctl.adopt.comparison import FEW, STRANGER, UNKNOWN, Probe
from stackctl.adopt.haproxy.fronts import Front
from stackctl.adopt.haproxy.sites import OldCertificate
from stackctl.adopt.proposal import ProposedSite
from stackctl.model.endpoints import HTTP_PORT, HTTPS_PORT


def probes_of(
    sites: Iterable[ProposedSite], fronts: Sequence[Front], certificates: Iterable[OldCertificate]
) -> tuple[tuple[Probe, ...], tuple[str, ...]]:
    """Return a GET for each path of each site, and ``file:line`` of the sites with rules for no path alone."""
    covered = tuple(certificates)
    found: list[Probe] = []
    skipped: list[str] = []
    for site in sites:
        paths, left = _paths(site)
        skipped += [site.at] if left else []
        for number, name in enumerate(site.domains):
            if name.startswith("*."):
                continue
            asked = paths if number < FEW else paths[:1]
            tls = any(one.certificate.covers(name) for one in covered)
            for front in fronts:
                if front.tls and tls:
                    found += _each(name, HTTPS_PORT, asked, site, front)
                if front.plain:
                    found += _each(name, HTTP_PORT, paths[:1] if tls else asked, site, front)
    found += [
        Probe(STRANGER, HTTP_PORT, tls=False, path="/", at=front.section.at, server=front.section.at)
        for front in fronts
        if front.plain
    ]
    return tuple(dict.fromkeys(found)), tuple(dict.fromkeys(skipped))


def _each(name: str, port: int, paths: Sequence[str], site: ProposedSite, front: Front) -> Iterator[Probe]:
    tls = port == HTTPS_PORT
    for path in paths:
        yield Probe(name, port, tls, path, site.at, server=front.section.at)
    yield Probe(name, port, tls, "/", site.at, "HEAD", front.section.at)


def _paths(site: ProposedSite) -> tuple[list[str], bool]:
    """Return the paths to request, and whether there are rules that no path alone meets."""
    paths, left = ["/", UNKNOWN], False
    routes = site.tuning.get("routes", ())
    for route in routes if isinstance(routes, Sequence) and not isinstance(routes, str) else ():
        assert isinstance(route, Mapping), "each item has keys"
        given = route.get("path")
        left = left or given is None
        texts = [given] if isinstance(given, str) else given if isinstance(given, Sequence) else []
        for text in map(str, texts):
            paths += [text] if route.get("exact") else [f"{text}/", f"{text}{UNKNOWN}"]
    return paths, left
