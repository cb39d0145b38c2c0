"""The requests by which a foreign HAProxy is compared with the proxy that is to replace it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from stackctl.adopt.comparison import FEW, STRANGER, UNKNOWN, Probe
from stackctl.adopt.haproxy.fronts import Front
from stackctl.adopt.haproxy.sites import OldCertificate
from stackctl.adopt.proposal import ProposedSite
from stackctl.adopt.samples import sample_path
from stackctl.model.endpoints import HTTP_PORT, HTTPS_PORT
from stackctl.stackfile.services import Value


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
        found = list(_of_route(route))
        left = left or not found
        paths += found
    return paths, left


def _of_route(route: Mapping[str, Value]) -> Iterator[str]:
    """Yield paths that lead to a route with a GET; none if something else than the path decides."""
    match = route.get("match")
    keys = match if isinstance(match, Mapping) else route
    if isinstance(match, Mapping) and not match.keys() <= {"path", "method"}:
        return
    if "GET" not in _texts(keys.get("method", "GET")):
        return
    for text in _texts(keys.get("path", ())):
        if text.startswith("~"):
            sample = sample_path(text[1:], ignore_case=False)
            yield from () if sample is None else (sample,)
        elif route.get("exact"):
            yield text
        else:
            yield from (f"{text}/", f"{text}{UNKNOWN}")


def _texts(value: Value) -> list[str]:
    return list(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else [str(value)]
