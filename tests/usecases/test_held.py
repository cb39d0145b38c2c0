"""Every command answers alike which certificate a site has: its own, a named one, an imported one or the dummy."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from stackctl.certs.ledger import Entry
from stackctl.errors import InputError
from stackctl.model.acme import LETSENCRYPT
from stackctl.model.values import Domain
from stackctl.observed.network import Answer, Lookup
from stackctl.plan.certificates import DeleteCertificate, Issue
from stackctl.plan.operations import VerifySite
from stackctl.usecases.config import config
from tests.usecases.test_named_certificates import rename
from tests.usecases.world import World, done

ONE, TWO = "one.example.com", "two.example.com"
SHARED = "shared"


@pytest.fixture
def named(world: World) -> World:
    """A stack whose site is served with the lineage ``shared``."""
    done(world.init())
    done(world.add(ONE, service="one", image="one:latest"))
    rename(world, ONE, SHARED)
    world.edit("      port: 8000\n", f"      port: 8000\n      certificate: {SHARED}\n")
    done(world.up())
    return world


@pytest.fixture
def imported(stack: World) -> World:
    """A stack whose site is served with a certificate that is not certbot's."""
    done(stack.add(ONE, issue=False))
    put(stack, ONE, [ONE])
    done(stack.up())
    assert stack.served() == {ONE: "real"}
    return stack


def put(world: World, site: str, names: Sequence[str]) -> None:
    """Put a certificate where imported ones are."""
    chain, key = world.fake.ca.issue(names, world.clock())
    world.host.directory.store_pair(site, chain, key)


def stored(world: World, site: str) -> Path:
    return world.root / "data/certs" / site


def spend(world: World) -> None:
    """Reach the CA's limit for the names of the site."""
    now = world.clock()
    entries = [Entry(now - timedelta(hours=n), LETSENCRYPT, (ONE,), issued=True) for n in range(5)]
    world.host.directory.write_ledger(entries, now - timedelta(days=30), now)


def test_an_imported_certificate_is_deleted_with_its_key(imported: World) -> None:
    result = done(imported.remove(ONE, delete_cert=True))
    deleted = [step.operation for step in result.steps if isinstance(step.operation, DeleteCertificate)]
    assert [one.text for one in deleted] == [f"delete the certificate {ONE}"]
    assert not stored(imported, ONE).exists()


def test_an_imported_certificate_stays_where_that_is_not_asked(imported: World) -> None:
    done(imported.remove(ONE))
    assert (stored(imported, ONE) / "privkey.pem").is_file()


def test_a_named_lineage_goes_with_the_dummy_of_its_site_alone(named: World) -> None:
    put(named, SHARED, ["other.example.com"])
    assert stored(named, ONE).is_dir()
    done(named.remove(ONE, delete_cert=True))
    assert named.host.directory.lineages() == {}
    assert not stored(named, ONE).exists()
    assert stored(named, SHARED).is_dir(), "it is the folder of another site"


def test_a_dummy_alone_is_deleted_and_called_one(stack: World) -> None:
    done(stack.add(ONE, issue=False))
    result = done(stack.remove(ONE, delete_cert=True))
    assert f"delete the dummy certificate {ONE}" in [step.operation.text for step in result.steps]
    assert not stored(stack, ONE).exists()


def test_what_another_site_names_is_not_deleted_for_one_that_is_not_routed(named: World) -> None:
    named.edit(f"certificate: {SHARED}", f"certificate: {TWO}")
    rename(named, SHARED, TWO)
    done(named.up())
    with pytest.raises(InputError, match="also used by another site"):
        named.remove(TWO, delete_cert=True)
    assert TWO in named.host.directory.lineages()


@pytest.mark.parametrize("kind", ["named", "imported"])
def test_limits_do_not_matter_while_a_certificate_is_good(kind: str, request: pytest.FixtureRequest) -> None:
    world: World = request.getfixturevalue(kind)
    spend(world)
    assert world.doctor()[ONE]["limits"] == "ok"
    world.clock.now += timedelta(days=89)
    spend(world)
    assert world.doctor()[ONE]["limits"] == "wrong"


def test_an_imported_certificate_is_judged_although_no_other_could_be_issued(imported: World) -> None:
    imported.network.records[ONE, "A"] = Lookup(Answer.NO_NAME)
    found = imported.doctor(ONE)
    assert found[ONE]["dns"] == "wrong"
    assert found["certificates"]["cert-issued"] == "ok"
    assert found["certificates"]["cert-wire"] == "ok"
    assert "cert-renewal" not in found["certificates"], "certbot has no part in it"


@pytest.mark.parametrize(
    ("kind", "folder"),
    [("named", f"/var/lib/stackctl/pairs/lineages/{SHARED}"), ("imported", f"/var/lib/stackctl/pairs/stored/{ONE}")],
)
def test_config_shows_the_files_that_are_live(kind: str, folder: str, request: pytest.FixtureRequest) -> None:
    world: World = request.getfixturevalue(kind)
    assert not world.up().plan
    report = config(world.host, Domain(ONE)).payload
    assert report.live is True
    assert sorted(Path(one.path).suffix for one in report.files) == [".conf", ".redirect"]
    assert any(f"ssl_certificate {folder}/fullchain.pem;" in one.content for one in report.files)


def test_renew_calls_no_imported_certificate_a_dummy(imported: World) -> None:
    put(imported, ONE, [ONE])
    result = done(imported.renew())
    verified = [step.operation for step in result.steps if isinstance(step.operation, VerifySite)]
    assert [one.text for one in verified] == [f"verify that {ONE} is served with its real certificate"]
    assert imported.served() == {ONE: "real"}


def test_a_site_whose_own_certificate_is_lost_borrows_another_that_has_its_names(site: World) -> None:
    done(site.add(TWO, issue=False))
    rename(site, ONE, "wide")
    conf = site.root / "data/certbot/conf/archive/wide"
    chain, key = site.fake.ca.issue([ONE, "more.example.com"], site.clock())
    for kind, content in (("cert", chain), ("fullchain", chain), ("privkey", key)):
        (conf / f"{kind}1.pem").write_bytes(content)
    site.fake.ca.issued.clear()
    result = done(site.up())
    assert [one.request.lineage for one in result.plan.operations if isinstance(one, Issue)] == [ONE, TWO]
    staged = str(result.plan)
    assert f"verify that {ONE} is served with its real certificate" in staged
    assert site.served() == {ONE: "real", TWO: "real"}
    assert not site.up().plan


def test_a_certificate_that_another_site_borrows_is_not_deleted(site: World) -> None:
    done(site.add("www.example.com", issue=False, service="two", image="two:latest"))
    conf = site.root / "data/certbot/conf/archive" / ONE
    chain, key = site.fake.ca.issue([ONE, "www.example.com"], site.clock())
    for kind, content in (("cert", chain), ("fullchain", chain), ("privkey", key)):
        (conf / f"{kind}1.pem").write_bytes(content)
    with pytest.raises(InputError, match="also used by another site"):
        site.remove(ONE, delete_cert=True)
    assert ONE in site.host.directory.lineages()
