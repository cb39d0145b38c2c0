"""``ca``, ``key-type``, ``rsa-key-size`` and ``profile`` of one site: one change, and the old one until then."""

from __future__ import annotations

import pytest

from stackctl.certs.lineage import Lineage
from stackctl.errors import StackfileError
from stackctl.model.values import Domain
from stackctl.plan.certificates import AlignSettings, Issue
from stackctl.stackfile.settings import Change
from stackctl.usecases.renew import renew
from stackctl.usecases.set_keys import set_keys
from tests.usecases.world import World, done

ONE, TWO = "one.example.com", "two.example.com"
OTHER = "https://ca.internal.example.com/acme/directory"


def lineage(world: World, name: str = ONE) -> Lineage:
    return world.host.directory.lineage(name)


def own(world: World, *lines: str) -> None:
    world.edit(f"        - {ONE}\n", f"        - {ONE}\n" + "".join(f"      {line}\n" for line in lines))


def issues(world: World) -> list[str]:
    return [one.cause for one in done(world.up()).plan.operations if isinstance(one, Issue)]


@pytest.mark.parametrize(
    ("lines", "cause", "key"),
    [
        (["key-type: rsa"], "its key is ecdsa-256", "rsa-2048"),
        (["rsa-key-size: 3072"], "its key is ecdsa-256", "rsa-3072"),
        (["profile: shortlived"], "its profile is that of the CA", "ecdsa-256"),
        ([f"ca: {OTHER}"], "its certificate is from https://acme-v02.api.letsencrypt.org/directory", "ecdsa-256"),
    ],
)
def test_one_site_gets_another_certificate_at_once(two: World, lines: list[str], cause: str, key: str) -> None:
    before = lineage(two, TWO)
    own(two, *lines)
    assert issues(two) == [cause]
    certificate = lineage(two).certificate
    assert certificate is not None
    assert certificate.key == key
    assert two.served() == {ONE: "real", TWO: "real"}
    assert lineage(two, TWO) == before
    assert not two.up().plan
    assert "wrong" not in two.doctor()["certificates"].values()


def test_set_is_the_same_change(two: World) -> None:
    result = done(set_keys(two.host, "set", Domain(ONE), [Change("key-type", "rsa")]))
    assert [one.cause for one in result.plan.operations if isinstance(one, Issue)] == ["its key is ecdsa-256"]


def test_the_old_one_stays_until_the_ca_issues(two: World) -> None:
    before = lineage(two)
    own(two, "profile: shortlived", f"ca: {OTHER}")
    two.fake.faults.issue[ONE] = "unauthorized"
    assert two.up().errors
    assert lineage(two) == before
    assert two.served() == {ONE: "real", TWO: "real"}
    assert two.up().errors, "it is asked again"
    two.fake.faults.issue.clear()
    done(two.up())
    assert lineage(two).server == OTHER
    assert lineage(two).profile == "shortlived"
    assert not two.up().plan


def test_without_the_key_it_follows_the_others_at_its_next_renewal(two: World) -> None:
    own(two, "key-type: rsa")
    done(two.up())
    two.edit("      key-type: rsa\n", "")
    result = done(two.up())
    assert [type(one) for one in result.plan.operations] == [AlignSettings]
    assert not two.up().plan


def test_one_site_is_local_and_one_is_not(two: World) -> None:
    two.edit(f"        - {ONE}\n", "        - one.localhost\n      ca: local\n")
    done(two.up())
    assert two.served() == {"one.localhost": "real", TWO: "real"}
    assert not two.up().plan


def test_what_contradicts_is_refused(two: World) -> None:
    own(two, "key-type: ecdsa", "rsa-key-size: 4096")
    with pytest.raises(StackfileError, match="'rsa-key-size' is for RSA keys"):
        two.up()


@pytest.mark.parametrize(
    ("old", "new", "cause"),
    [
        ('ca: "letsencrypt"\n', f"ca: {OTHER}\n", "its certificate is from https://acme-v02"),
        ("agree-tos: true\n", "agree-tos: true\n  key-type: rsa\n", "its key is ecdsa-256"),
        ("agree-tos: true\n", "agree-tos: true\n  profile: shortlived\n", "its profile is that of the CA"),
    ],
)
def test_all_sites_change_in_one_plan(two: World, old: str, new: str, cause: str) -> None:
    assert not renew(two.host, changed=True).plan
    two.edit(old, new)
    before = lineage(two)
    planned = renew(two.host, changed=True, dry_run=True).plan.operations
    assert [one.cause.startswith(cause) for one in planned if isinstance(one, Issue)] == [True, True]
    two.fake.faults.issue[ONE] = "unauthorized"
    assert renew(two.host, changed=True).errors
    assert lineage(two).version == before.version, "the old one stays"
    two.fake.faults.issue.clear()
    done(renew(two.host, changed=True))
    assert two.served() == {ONE: "real", TWO: "real"}
    assert not renew(two.host, changed=True).plan
    assert not two.up().plan
