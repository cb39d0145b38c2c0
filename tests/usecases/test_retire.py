"""A certificate that no site uses is reported, and 'cert retire' deletes it: the loop no longer renews it."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from stackctl.errors import InputError
from stackctl.plan.retire import RetireLineage
from stackctl.usecases.cert import retire
from stackctl.usecases.status import status
from tests.usecases.test_named_certificates import rename
from tests.usecases.world import World, data, done

ONE, TWO = "one.example.com", "two.example.com"
CONF = "data/certbot/conf"


@pytest.fixture
def left(site: World) -> World:
    """A stack with a site, and the certificate of another that was removed."""
    done(site.add(TWO, service="two", image="two:latest"))
    result = done(site.remove(TWO))
    assert any(f"stackctl cert retire {TWO}" in note for note in result.notes)
    return site


def files(world: World, lineage: str) -> list[str]:
    tree = world.root / CONF
    found = [tree / "live" / lineage, tree / "archive" / lineage, tree / "renewal" / f"{lineage}.conf"]
    return [str(path) for path in found if path.exists()]


def unused(world: World) -> list[str]:
    world.doctor()
    rows = [row for section in data(world.diagnosis)["sections"] for row in section["checks"]]
    told = [row["subject"] for row in rows if row["name"] == "cert-unused"]
    assert told == list(data(status(world.host))["unused"])
    return told


def test_what_no_site_uses_is_reported_until_it_is_retired(left: World) -> None:
    assert unused(left) == [TWO]
    entries = len(left.host.directory.history.entries())
    shown = retire(left.host, TWO, dry_run=True)
    assert [type(one) for one in shown.plan.operations] == [RetireLineage]
    assert len(files(left, TWO)) == 3
    done(retire(left.host, TWO))
    assert files(left, TWO) == []
    assert unused(left) == []
    assert TWO not in left.host.directory.shelf([ONE], left.clock()).copies
    last = left.host.directory.history.entries()
    assert len(last) == entries + 1
    assert f"delete the certificate {TWO}" in last[-1].changes[-1]
    assert left.served() == {ONE: "real"}
    assert not left.up().plan


def without_renewal(world: World) -> None:
    (world.root / CONF / "renewal" / f"{TWO}.conf").unlink()


def cut_renewal(world: World) -> None:
    (world.root / CONF / "renewal" / f"{TWO}.conf").write_text("")


def without_live(world: World) -> None:
    shutil.rmtree(world.root / CONF / "live" / TWO)


@pytest.mark.parametrize("damage", [without_renewal, cut_renewal, without_live])
def test_a_damaged_one_is_retired_too(left: World, damage: Callable[[World], None]) -> None:
    damage(left)
    assert unused(left) == [TWO]
    done(retire(left.host, TWO))
    assert files(left, TWO) == []
    assert unused(left) == []


def test_what_a_site_uses_is_not_retired(site: World) -> None:
    with pytest.raises(InputError, match=f"used by {ONE}"):
        retire(site.host, ONE)
    assert len(files(site, ONE)) == 3


def test_what_a_site_names_is_not_retired_even_if_it_is_served_with_another(site: World) -> None:
    rename(site, ONE, "shared")
    site.edit("      port: 8000\n", "      port: 8000\n      certificate: shared\n")
    done(site.up())
    with pytest.raises(InputError, match=f"used by {ONE}"):
        retire(site.host, "shared")


def test_what_a_name_of_a_site_borrows_is_not_retired(left: World) -> None:
    left.fake.faults.issue = {ONE: "dns"}
    left.edit(f"        - {ONE}\n", f"        - {ONE}\n        - {TWO}\n")
    assert left.up().errors
    assert left.fake.loaded[TWO].covers(TWO)
    with pytest.raises(InputError, match=f"used by {ONE}"):
        retire(left.host, TWO)


def test_what_the_live_files_name_is_not_retired(left: World) -> None:
    served = f"/var/lib/stackctl/pairs/lineages/{TWO}"
    left.custom("http.conf", f"# {served}/fullchain.pem\n")
    with pytest.raises(InputError, match="still named by http"):
        retire(left.host, TWO)


def test_an_unknown_name_lists_what_can_be_retired(left: World) -> None:
    with pytest.raises(InputError) as caught:
        retire(left.host, "nothing")
    assert TWO in (caught.value.hint or "")
