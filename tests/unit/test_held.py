"""Which certificate a site has: the precedence of its sources."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stackctl.certs.copied import Pair
from stackctl.certs.held import held, owned
from stackctl.certs.lineage import Lineage
from stackctl.certs.shelf import Shelf, Source, Stored
from stackctl.model.acme import LETSENCRYPT_STAGING
from stackctl.model.values import Domain
from tests.unit.build import certificate, dummy, lineage, lineages, site

A, WWW = Domain("a.example.com"), Domain("www.example.com")
SITE = site(A, WWW)
OWN = lineage(A, WWW)
BROKEN = replace(OWN, problem="privkey.pem is missing")
WILD = lineage("*.example.com", name="wild")
IMPORTED: dict[str, Stored] = {A: Stored.of(certificate(A, WWW, fingerprint="theirs"))}
DUMMY: dict[str, Stored] = {A: Stored.of(dummy(A, WWW))}


def longer(one: Lineage) -> Lineage:
    assert one.certificate is not None
    days = one.certificate.not_after.replace(year=one.certificate.not_after.year + 1)
    return replace(one, certificate=replace(one.certificate, not_after=days))


@pytest.mark.parametrize(
    ("shelf", "source", "served"),
    [
        (Shelf(lineages(OWN, longer(WILD)), IMPORTED), Source.ACME, A),
        (Shelf(lineages(BROKEN, WILD), IMPORTED), Source.ACME, "wild"),
        (Shelf(lineages(WILD), DUMMY), Source.ACME, "wild"),
        (Shelf(lineages(BROKEN, lineage(A, name="half")), IMPORTED), Source.IMPORTED, None),
        (Shelf(lineages(BROKEN), DUMMY), Source.DUMMY, None),
        (Shelf({}, DUMMY), Source.DUMMY, None),
        (Shelf(), Source.DUMMY, None),
    ],
)
def test_the_first_source_that_has_one_is_served(shelf: Shelf, source: Source, served: str | None) -> None:
    found = held(SITE, shelf)
    assert (found.source, found.lineage) == (source, served)
    folder = f"/var/lib/stackctl/pairs/{f'lineages/{served}' if served else f'stored/{A}'}"
    assert found.pair == Pair(f"{folder}/fullchain.pem", f"{folder}/privkey.pem")
    assert found.real is (source is not Source.DUMMY)
    assert found.borrowed is (served == "wild")


def test_of_several_that_cover_its_names_the_one_that_is_valid_longest_is_served() -> None:
    exact = lineage(A, WWW, "b.example.com", name="exact")
    for shelf in (Shelf(lineages(longer(exact), WILD)), Shelf(lineages(WILD, longer(exact)))):
        assert held(SITE, shelf).lineage == "exact"
    for shelf in (Shelf(lineages(exact, WILD)), Shelf(lineages(WILD, exact))):
        assert held(SITE, shelf).lineage == "wild", "of equals always the same one"


@pytest.mark.parametrize("spoilt", [replace(WILD, problem="x"), replace(WILD, server=LETSENCRYPT_STAGING)])
def test_what_no_browser_would_take_is_not_borrowed(spoilt: Lineage) -> None:
    assert held(SITE, Shelf(lineages(spoilt), DUMMY)).source == Source.DUMMY


def test_a_dummy_is_a_dummy_whatever_was_recorded() -> None:
    assert Stored.of(dummy(A), "local").source == Source.DUMMY
    assert Stored.of(certificate(A), "local").source == "local"


def test_the_certificate_on_disk_is_reported_although_it_cannot_be_served() -> None:
    found = held(SITE, Shelf(lineages(BROKEN), DUMMY))
    assert (found.on_disk, found.problem) == (BROKEN.certificate, "privkey.pem is missing")
    assert held(SITE, Shelf({}, DUMMY)).on_disk is None


def test_what_a_site_owns_is_its_lineage_else_what_is_stored_for_it_and_nothing_borrowed() -> None:
    first = owned(A, A, Shelf(lineages(BROKEN, WILD), IMPORTED))
    second = owned(A, A, Shelf(lineages(WILD), IMPORTED))
    assert first is not None
    assert second is not None
    assert (first.lineage, second.source) == (A, Source.IMPORTED)
    assert owned(A, A, Shelf(lineages(WILD))) is None
