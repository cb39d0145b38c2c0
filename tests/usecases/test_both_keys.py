"""RSA and ECDSA side by side: two certificates of one site, each issued, served, renewed and deleted with the other."""

from __future__ import annotations

from datetime import timedelta

import pytest

from stackctl.certs.request import CertificateRequest
from stackctl.engine.probe.observe import observe
from stackctl.errors import StackfileError
from stackctl.model.fields import Request
from stackctl.model.values import Domain
from stackctl.observed.network import Answer, Lookup
from stackctl.plan.certificates import CheckNames, Issue, second_scope
from stackctl.plan.files import ProxyFiles
from stackctl.plan.operations import ReloadProxy, StageFiles
from stackctl.proxies.haproxy.proxy import Haproxy
from stackctl.proxies.sites import Rendering
from stackctl.usecases.cert_looks import list_certificates
from stackctl.usecases.converge import load_current
from stackctl.usecases.explain import explain
from stackctl.usecases.status import status
from tests.usecases.world import World, data, done

ONE, TWO = "one.example.com", "two.example.com"
RSA = f"{ONE}_rsa"


@pytest.fixture
def both(site: World) -> World:
    """A site that was served with one certificate, and is to have two."""
    site.edit("x-stackctl:\n  email", "x-stackctl:\n  key-type: [ecdsa, rsa]\n  email")
    return site


def keys(world: World) -> dict[str, str]:
    shelf = world.host.directory.shelf([ONE], world.clock())
    return {name: one.certificate.key for name, one in shelf.lineages.items() if one.certificate}


def lines(world: World) -> list[str]:
    text = world.live()[f"sites/{ONE}.conf"].decode()
    return [line.split()[1] for line in text.splitlines() if line.lstrip().startswith("ssl_certificate ")]


def issues(world: World) -> list[tuple[str, bool]]:
    operations = world.up(dry_run=True).plan.operations
    return [(one.request.lineage, one.request.beside) for one in operations if isinstance(one, Issue)]


def test_the_second_is_issued_beside_the_first_and_served(both: World) -> None:
    assert issues(both) == [(RSA, True)]
    done(both.up())
    assert keys(both) == {ONE: "ecdsa-256", RSA: "rsa-2048"}
    assert [path.split("/")[-2] for path in lines(both)] == [ONE, RSA]
    assert both.fake.loaded[ONE].key == "ecdsa-256"
    assert both.fake.loaded_second[ONE].key == "rsa-2048"
    assert not both.up().plan
    assert "wrong" not in both.doctor()["certificates"].values()
    assert both.doctor()["certificates"]["cert-second"] == "ok"
    rows = data(list_certificates(both.host))["certificates"]
    assert [(row["name"], row["served"], row["used_by"]) for row in rows] == [(ONE, True, [ONE]), (RSA, True, [ONE])]
    hops = data(explain(both.host, Domain(ONE), Request("GET", "/")))["links"]
    assert any("clients without ECDSA get one with an RSA key" in hop["text"] for hop in hops)
    assert data(status(both.host))["unused"] == []


def test_a_second_that_the_proxy_has_not_loaded_is_a_reason_to_reload(both: World) -> None:
    done(both.up())
    both.fake.loaded_second[ONE] = both.fake.loaded[ONE]
    assert both.doctor()["certificates"]["cert-second"] == "wrong"
    result = done(both.up())
    assert [one.cause for one in result.plan.operations if isinstance(one, ReloadProxy)] == [
        f"{ONE} is not served with its second certificate on disk"
    ]
    assert not both.up().plan


def test_another_site_gets_the_first_of_two_that_cover_its_name(both: World) -> None:
    both.clock.now += timedelta(days=1)
    done(both.up())
    shelf = both.host.directory.shelf([ONE], both.clock())
    assert shelf.lineages.keys() == {ONE, RSA}
    best = shelf.covering([ONE])
    assert best is not None
    assert best.name == ONE, "although the second one is valid longer"


def test_a_new_site_gets_both_after_one_check_of_its_names(both: World) -> None:
    done(both.up())
    result = done(both.add(TWO))
    asked = [(one.request.lineage, one.scope) for one in result.plan.operations if isinstance(one, Issue)]
    assert asked == [(TWO, TWO), (f"{TWO}_rsa", f"second:{TWO}")]
    (check,) = [one for one in result.plan.operations if isinstance(one, CheckNames)]
    assert set(check.scopes) == {TWO, f"second:{TWO}"}
    assert both.served()[TWO] == "real"
    assert both.fake.loaded_second[TWO].key == "rsa-2048"


def test_names_that_do_not_resolve_cost_no_order_of_either(both: World) -> None:
    both.network.records = {(TWO, kind): Lookup(Answer.NO_NAME) for kind in ("A", "AAAA")}
    before = list(both.fake.ca.issued)
    assert both.add(TWO).errors
    assert both.fake.ca.issued == before


def test_the_site_is_served_with_the_first_if_the_second_is_refused(both: World) -> None:
    both.fake.faults.issue[RSA] = "rateLimited"
    assert both.up().errors
    assert both.served() == {ONE: "real"}
    assert len(lines(both)) == 1
    (row,) = status(both.host).payload.sites
    assert row.ending == "it has no certificate with an RSA key: run 'stackctl up'"
    assert both.doctor()["certificates"]["cert-second"] == "wrong"
    both.fake.faults.issue.clear()
    done(both.up())
    assert len(lines(both)) == 2


def test_both_are_renewed_and_both_are_loaded(both: World) -> None:
    done(both.up())
    before = {
        name: one.fingerprint for name, one in (("a", both.fake.loaded[ONE]), ("b", both.fake.loaded_second[ONE]))
    }
    both.clock.now += timedelta(days=70)
    done(both.renew())
    after = {name: one.fingerprint for name, one in (("a", both.fake.loaded[ONE]), ("b", both.fake.loaded_second[ONE]))}
    assert not before.items() & after.items()
    done(both.renew(ONE))
    assert both.fake.loaded_second[ONE].fingerprint != after["b"]


def test_a_site_that_had_rsa_gets_ecdsa_as_its_own(site: World) -> None:
    site.edit("x-stackctl:\n  email", "x-stackctl:\n  key-type: rsa\n  email")
    done(site.renew(ONE))
    assert keys(site) == {ONE: "rsa-2048"}
    site.edit("key-type: rsa", "key-type: [rsa, ecdsa]")
    done(site.up())
    assert keys(site) == {ONE: "ecdsa-256", RSA: "rsa-2048"}
    assert site.fake.loaded_second[ONE].key == "rsa-2048"
    assert not site.up().plan


def test_one_site_has_both_and_another_names_its_own(stack: World) -> None:
    done(stack.add(ONE))
    done(stack.add(TWO))
    stack.edit(f"        - {ONE}\n", f"        - {ONE}\n      key-type: [ecdsa, rsa]\n")
    done(stack.up())
    assert keys(stack).keys() == {ONE, RSA, TWO}


def test_without_the_key_the_second_is_unused_and_a_rollback_brings_it_back(both: World) -> None:
    done(both.up())
    both.edit("  key-type: [ecdsa, rsa]\n", "")
    done(both.up())
    assert len(lines(both)) == 1
    assert data(status(both.host))["unused"] == [RSA]
    done(both.rollback())
    assert len(lines(both)) == 2
    assert data(status(both.host))["unused"] == []


def test_a_site_is_removed_with_both(both: World) -> None:
    done(both.up())
    done(both.remove(ONE, delete_cert=True))
    assert keys(both) == {}


def test_one_kind_twice_is_refused_with_its_line(both: World) -> None:
    both.edit("[ecdsa, rsa]", "[rsa, rsa]")
    with pytest.raises(StackfileError, match="rsa is listed twice here") as caught:
        both.up()
    assert caught.value.where == both.line_of("key-type")


def test_what_all_sites_share_names_the_second_only_if_it_is_issued(both: World) -> None:
    """HAProxy lists the certificates of all sites in one file."""
    host = both.host
    loaded = load_current(host)
    stack, seen = loaded.stack, observe(host, loaded.stack, loaded.project, loaded.stack.sites, both.text, both.text)
    files = ProxyFiles(stack, seen, Rendering(Haproxy(), (3, 2, 0), {}), host.issuers)
    request = CertificateRequest(RSA, (Domain(ONE),), beside=True)
    staged = [one for one in files.switch({}, {stack.sites[0]: request}) if isinstance(one, StageFiles)]
    (shared,) = [one for one in staged if one.scope is None]
    (path,) = shared.files
    assert f"@{ONE}/second {ONE}" in shared.files[path].decode()
    assert shared.without is not None
    assert "second" not in shared.without([second_scope(ONE)], {})[path].decode()
    (own,) = [one for one in staged if one.scope == ONE]
    assert own.needs_all == {second_scope(ONE)}
