"""A name keeps a usable certificate while anything about it changes: its order, its site, its aliases, its lineage."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from stackctl.certs.lineage import Certificate
from stackctl.errors import ExitCode
from stackctl.plan.certificates import Issue
from stackctl.plan.operations import VerifyGone
from stackctl.usecases.result import Result
from tests.usecases.world import World, done

A, B, WWW, X, Y = "a.example.com", "b.example.com", "www.example.com", "x.example.com", "y.example.com"


@dataclass
class Entry:
    """A site of ``x-stackctl.apps``: its names, and the lineage that it names."""

    names: list[str]
    certificate: str | None = None


@dataclass
class Names:
    """A stack whose sites are written anew for each step, as the user's edit of the file."""

    world: World
    sites: list[Entry] = field(default_factory=list)

    def write(self, *sites: list[str] | Entry) -> None:
        self.sites = [one if isinstance(one, Entry) else Entry(one) for one in sites]
        head = self.world.text.partition("  apps:\n")[0]
        lines = []
        for site in self.sites:
            lines += [f"    - domains: [{', '.join(site.names)}]", "      upstream: 10.0.0.5:80"]
            lines += [f"      certificate: {site.certificate}"] if site.certificate else []
        body = "".join(f"{line}\n" for line in ["  apps:", *lines]) if lines else ""
        services = head.index("services:")
        before, after = head[:services], head[services:]
        if "x-stackctl:" in after:
            self.world.file.write_text(head.rstrip("\n") + "\n" + body)
        else:
            start = before.index("x-stackctl:")
            self.world.file.write_text(after.rstrip("\n") + "\n" + before[start:].rstrip("\n") + "\n" + body)

    def up(self, *sites: list[str] | Entry) -> Result[None]:
        """Write the sites, run ``up``, and look at every name after each load of the proxy."""
        self.write(*sites)
        return self.world.up()

    def trusted(self) -> set[str]:
        """The names that a client can reach over HTTPS with a certificate that covers them and is real."""
        loaded = self.world.fake.loaded
        return {name for name, one in loaded.items() if one.covers(name) and one.issuer == "Fake CA"}

    def issued(self) -> list[frozenset[str]]:
        return [frozenset(names) for names in self.world.fake.ca.issued]


@pytest.fixture
def names(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    yield from watched(world, monkeypatch)


def watched(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    """The proxy is looked at after each load: a name that was trusted and stays routed is never lost."""
    done(world.init())
    world.fake.outside.add(("10.0.0.5", 80))
    made = Names(world)
    load = world.fake.proxy.certificates

    def loads(live: Path, on_host: object) -> dict[str, Certificate]:
        before = made.trusted()
        loaded = load(live, on_host)  # type: ignore[arg-type]
        routed = {name for site in made.sites for name in site.names}
        lost = {name for name in before & routed if name not in loaded or not loaded[name].covers(name)}
        assert not lost, f"{lost} lost trusted HTTPS at a load"
        return loaded

    monkeypatch.setattr(world.fake.proxy, "certificates", loads)
    yield made


def orders(result: Result[None]) -> list[tuple[str, set[str]]]:
    return [
        (one.request.lineage, {*map(str, one.request.names)})
        for one in result.plan.operations
        if isinstance(one, Issue)
    ]


def test_another_order_of_names_needs_no_certificate(names: Names) -> None:
    done(names.up([B, WWW]))
    result = done(names.up([WWW, B]))
    assert orders(result) == []
    assert not any(isinstance(one, VerifyGone) for one in result.plan.operations)
    assert names.trusted() == {B, WWW}
    assert names.world.served() == {WWW: "real"}
    assert not names.world.up().plan
    assert names.issued() == [{B, WWW}]


def test_what_a_site_took_over_is_renewed_and_judged_as_its_own(names: Names) -> None:
    done(names.up([B, WWW]))
    done(names.up([WWW, B]))
    result = done(names.world.renew(WWW))
    assert [row.status for row in result.payload.sites] == ["renewed"]
    assert [path.name for path in (names.world.root / "data/certbot/conf/live").iterdir()] == [B]
    found = names.world.doctor()["certificates"]
    assert set(found.values()) == {"ok"}


def test_a_first_name_becomes_an_alias_of_another_site(names: Names) -> None:
    done(names.up([A], [B]))
    result = done(names.up([B, A]))
    assert orders(result) == [(B, {A, B})]
    assert names.trusted() == {A, B}
    assert not names.world.up().plan


def test_an_alias_keeps_its_certificate_until_its_new_site_has_one(names: Names) -> None:
    done(names.up([A, X], [B]))
    names.world.fake.faults.issue = {B: "dns"}
    for _ in range(2):
        result = names.up([A], [B, X])
        assert result.code is ExitCode.ISSUE_FAILED
        assert names.trusted() == {A, B, X}
        assert names.world.host.directory.lineages()[A].certificate.names == (A,)  # type: ignore[union-attr]
    names.world.fake.faults.issue = {}
    assert orders(done(names.world.up())) == [(B, {B, X})]
    assert names.trusted() == {A, B, X}
    assert not names.world.up().plan
    assert not (names.world.root / "data/certs" / X).exists()
    assert names.issued()[2:] == [{A}, {B, X}]


def test_aliases_change_places_while_the_ca_refuses_either(names: Names) -> None:
    done(names.up([A, X], [B, Y]))
    for refused in (A, B):
        names.world.fake.faults.issue = {refused: "dns"}
        assert names.up([A, Y], [B, X]).code is ExitCode.ISSUE_FAILED
        assert names.trusted() == {A, B, X, Y}
        names.world.fake.faults.issue = {}
        done(names.world.up())
        assert names.trusted() == {A, B, X, Y}
        assert not names.world.up().plan
        done(names.up([A, X], [B, Y]))
    assert len(names.issued()) == 2 + 2 * (2 + 2), "one order for each changed set"


def test_two_sites_exchange_their_first_names(names: Names) -> None:
    done(names.up([A, X], [B, Y]))
    done(names.up([B, X], [A, Y]))
    assert names.trusted() == {A, B, X, Y}
    assert not names.world.up().plan
    assert len(names.issued()) == 4


def test_an_alias_that_no_site_has_any_more_costs_one_order(names: Names) -> None:
    done(names.up([A, X]))
    result = done(names.up([A]))
    assert orders(result) == [(A, {A})]
    assert not names.world.up().plan


def test_a_name_that_is_covered_by_a_lineage_of_no_site_is_served_with_it_at_once(names: Names) -> None:
    done(names.up([A, X]))
    done(names.up([B]))
    names.world.fake.faults.issue = {B: "dns"}
    assert names.up([B, X]).code is ExitCode.ISSUE_FAILED
    assert names.trusted() == {B, X}
    live = names.world.live()[f"sites/{B}.conf"].decode()
    assert live.count("ssl_certificate /var/") == 2
    assert names.world.rows()[B]["served"] == "real"


def test_a_lineage_is_named_and_not_named_any_more(names: Names) -> None:
    done(names.up([A, X]))
    done(names.up(Entry([A, X], A)))
    done(names.up([X, A]))
    assert names.issued() == [{A, X}]
    done(names.up(Entry([B], A)))
    assert names.trusted() == {B}
    assert not names.world.up().plan


def test_the_live_certificate_of_a_name_is_shown_by_explain_and_doctor(names: Names) -> None:
    done(names.up([A, X], [B]))
    names.world.fake.faults.issue = {B: "dns"}
    names.up([A], [B, X])
    found = names.world.doctor(B)
    assert found["certificates"]["cert-wire"] == "ok"


NAMES = [A, B, X, Y, WWW]


@st.composite
def layouts(draw: st.DrawFn) -> list[Entry]:
    """Which names each site has, in which order; some are not routed."""
    routed = draw(st.permutations(NAMES))[: draw(st.integers(1, len(NAMES)))]
    sites = []
    while routed:
        count = draw(st.integers(1, min(3, len(routed))))
        named = draw(st.sampled_from([None, None, None, None, "shared"]))
        sites.append(Entry(routed[:count], named))
        routed = routed[count:]
    return sites


steps = st.lists(st.tuples(layouts(), st.sampled_from([None, None, *NAMES[:3]]), st.booleans()), min_size=2, max_size=5)


@pytest.mark.slow
@settings(
    max_examples=15,
    phases=[Phase.explicit, Phase.generate],
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(steps)
def test_whatever_moves_no_name_loses_a_certificate(
    monkeypatch: pytest.MonkeyPatch, moves: list[tuple[list[Entry], str | None, bool]]
) -> None:
    with tempfile.TemporaryDirectory() as folder, monkeypatch.context() as patch:
        for made in watched(World(Path(folder) / "stack"), patch):
            for sites, refused, again in moves:
                before, count = made.trusted(), len(made.issued())
                changed = {frozenset(one.names) for one in sites}
                made.world.fake.faults.issue = {refused: "dns"} if refused else {}
                result = made.up(*sites)
                routed = {name for one in sites for name in one.names}
                assert before & routed <= made.trusted()
                fresh = made.issued()[count:]
                assert len(fresh) <= len(changed)
                if not result.errors:
                    assert made.trusted() == routed
                    assert str(made.world.up(dry_run=True).plan) == ""
                elif again:
                    made.world.fake.faults.issue = {}
                    done(made.world.up())
                    assert made.trusted() == routed
