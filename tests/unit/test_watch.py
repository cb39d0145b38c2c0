"""What is watched without stackctl: the metrics as text, the problems of a look, and what receivers are sent."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from stackctl.certs.watch import exposition as metrics
from stackctl.certs.watch.exposition import FAMILIES, Family, Sample, exposition
from stackctl.certs.watch.judge import END, Problem, problems
from stackctl.certs.watch.look import ACME, DUMMY, IMPORTED, Copy, Facts, Leaf
from stackctl.certs.watch.measure import measured
from stackctl.certs.watch.news import OVER, PROBLEM, as_sent, news
from stackctl.certs.watch.settings import Receiver, Settings, Watched, read, written
from stackctl.certs.watch.state import State, loaded
from stackctl.errors import InputError
from stackctl.model.alerts import receiver

NOW = dt.datetime(2026, 8, 1, tzinfo=dt.UTC)
SHOP, BLOG = "shop.example.com", "blog.example.com"
HOOK = Receiver("hook", "https://hook.example.com", "webhook", "https://hook.example.com/secret")


def watched(name: str = SHOP, *, imported: bool = False) -> Watched:
    return Watched(name, name, name, name, imported)


def settings(*sites: Watched, **more: Any) -> Settings:
    fixed: dict[str, Any] = {"https": 443, "http": 80, "framed": False, "marker": ("/x", "y"), "receivers": (HOOK,)}
    return Settings(
        "shop", "1", sites or (watched(),), "nginx", dummy="stackctl dummy", local="stackctl local CA", **fixed | more
    )


def leaf(left: float = 60, life: float = 90, der: bytes = b"a", issuer: str = "CA") -> Leaf:
    end = NOW + dt.timedelta(days=left)
    return Leaf(der, end - dt.timedelta(days=life), end, issuer)


def facts(shown: Leaf | None = None, source: str = ACME, **more: Any) -> Facts:
    """A site whose certificate on disk is the one that is served."""
    one = shown or leaf()
    fixed: dict[str, Any] = {
        "now": NOW,
        "copies": (Copy(SHOP, source, one),),
        "reached": True,
        "served": {SHOP: one},
        "live": "g1",
        "answers": "g1",
        "parked": {},
        "checked": "1785542400",
        "succeeded": "1785542400",
        "failed": {},
        "refused": {},
    }
    return Facts(**fixed | more)


def found(seen: Facts, *sites: Watched) -> list[tuple[str, str, str]]:
    return [(one.kind, one.name, one.stage) for one in problems(settings(*sites), seen)]


# Metrics


@given(st.lists(st.tuples(st.sampled_from(FAMILIES), st.text(), st.text(), st.floats(-1e12, 1e12)), max_size=8))
def test_any_label_survives_the_format(rows: list[tuple[Family, str, str, float]]) -> None:
    samples = [Sample(family, value, (one, two)[: len(family.labels)]) for family, one, two, value in rows]
    read_back = {
        (sample.name, *(sample.labels[label] for label in family.labels)): sample.value
        for parsed in text_string_to_metric_families(exposition("shop", samples))
        for sample in parsed.samples
        for family in FAMILIES
        if family.name == sample.name
    }
    assert read_back == {(one.family.name, *one.labels): pytest.approx(one.value) for one in samples}


def test_names_have_base_units_and_say_what_they_count() -> None:
    for family in FAMILIES:
        assert family.name.startswith("stackctl_")
        assert (family.kind == "counter") == family.name.endswith("_total")
        assert family.help.endswith(".")
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)


def test_what_is_measured_of_a_site() -> None:
    text = exposition("shop", measured(settings(), facts(failed={SHOP: "refused"})))
    end = int(leaf().end.timestamp())
    for line in (
        f'stackctl_certificate_not_after_timestamp_seconds{{stack="shop",name="{SHOP}",source="acme"}} {end}',
        f'stackctl_certificate_renewal_due_timestamp_seconds{{stack="shop",name="{SHOP}"}} {end - 30 * 86400}',
        f'stackctl_certificate_renewal_failed{{stack="shop",name="{SHOP}"}} 1',
        f'stackctl_certificate_on_wire{{stack="shop",name="{SHOP}"}} 1',
        'stackctl_loop_last_success_timestamp_seconds{stack="shop",loop="renew"} 1785542400',
        'stackctl_generation_info{stack="shop",live="g1",served="g1"} 1',
        'stackctl_sites_parked{stack="shop"} 0',
    ):
        assert line in text.splitlines()


def test_a_dummy_on_the_wire_is_no_certificate() -> None:
    shown = leaf(issuer="stackctl dummy")
    text = exposition("shop", measured(settings(), facts(shown, DUMMY)))
    assert f'{metrics.ON_WIRE.name}{{stack="shop",name="{SHOP}"}} 0' in text


def test_stamps_that_are_no_times_are_left_out() -> None:
    text = exposition("shop", measured(settings(), facts(checked="9" * 40, succeeded="x\ny")))
    assert metrics.LOOP_RUN.name not in text
    assert metrics.LOOP_SUCCESS.name not in text


# Problems


@pytest.mark.parametrize(
    ("left", "life", "source", "stage"),
    [
        (16, 90, ACME, None),
        (14, 90, ACME, "near"),
        (-1, 90, ACME, "over"),
        # A six-day certificate is renewed in its last three days, every three days: no reason for an alert.
        (2, 6, ACME, None),
        (1, 6, ACME, "near"),
        (8, 45, ACME, None),
        (31, 365, IMPORTED, None),
        (29, 365, IMPORTED, "near"),
        (5, 365, IMPORTED, "urgent"),
        (3, 6, IMPORTED, None),
        (0.4, 6, IMPORTED, "urgent"),
    ],
)
def test_an_end_is_near_relative_to_the_lifetime(left: float, life: float, source: str, stage: str | None) -> None:
    site = watched(imported=source == IMPORTED)
    assert found(facts(leaf(left, life), source), site) == ([] if stage is None else [(END, SHOP, stage)])


@pytest.mark.parametrize(("left", "stage"), [(29, None), (5, "near")])
def test_an_imported_certificate_with_a_fallback_is_late_in_its_last_week(left: float, stage: str | None) -> None:
    assert found(facts(leaf(left, 365), IMPORTED)) == ([] if stage is None else [(END, SHOP, stage)])


@pytest.mark.parametrize(
    ("seen", "kind", "name"),
    [
        (facts(served={SHOP: None}), "unserved", SHOP),
        (facts(served={SHOP: leaf(der=b"other")}), "wire", SHOP),
        (facts(leaf(issuer="stackctl dummy"), DUMMY), "unissued", SHOP),
        (facts(reached=False, served={}), "proxy", ""),
        (facts(failed={SHOP: "no"}), "renewal", SHOP),
        (facts(failed={"": "no"}), "renewal", ""),
        (facts(refused={SHOP: "no chain"}), "refused", SHOP),
        (facts(parked={SHOP: "unknown directive"}, served={SHOP: None}), "parked", SHOP),
    ],
)
def test_each_problem_is_one(seen: Facts, kind: str, name: str) -> None:
    assert found(seen) == [(kind, name, "")]


def test_what_is_on_disk_counts_where_the_proxy_cannot_be_asked() -> None:
    assert found(facts(leaf(3), reached=None, served={})) == [(END, SHOP, "near")]


def test_where_tls_ends_before_the_proxy_no_certificate_matters() -> None:
    seen = facts(leaf(3), reached=None, served={})
    assert problems(settings(https=None), seen) == ()


# News

HOSTILE = 'x\r\nSubject: owned\x1b[2J","title":"y\u202e'


@pytest.mark.parametrize("where", ["name", "text"])
def test_what_others_wrote_stays_inside_its_line(where: str) -> None:
    one = Problem("renewal", HOSTILE, "t") if where == "name" else Problem("renewal", SHOP, HOSTILE)
    message = news(HOSTILE, {}, [one])
    assert message is not None
    assert message.title.isprintable()
    assert len(message.text.splitlines()) == 1
    assert message.text.isprintable()


def test_a_thousand_problems_are_one_message_of_bounded_size() -> None:
    message = news("shop", {}, [Problem("end", f"site{n}.example.com", "x" * 5000) for n in range(1000)])
    assert message is not None
    assert message.title == "shop: 1000 problems"
    assert len(message.title) + len(message.text) < 4000
    assert "more" in message.text.splitlines()[-1]


def sent_before(*known: Problem) -> dict[str, list[str]]:
    return as_sent(known)


def test_only_changes_are_news() -> None:
    near, urgent = Problem(END, SHOP, "in 20 days", "near"), Problem(END, SHOP, "in 5 days", "urgent")
    other = Problem("renewal", BLOG, "no")
    assert news("s", sent_before(near), [near._replace(text="in 19 days")]) is None
    escalated = news("s", sent_before(near), [urgent])
    assert escalated is not None
    assert (escalated.kind, escalated.text) == (PROBLEM, f"- {SHOP}: in 5 days")
    over = news("s", sent_before(near, other), [])
    assert over is not None
    assert (over.kind, over.title) == (OVER, "s: 2 problems are over")
    both = news("s", sent_before(near), [other])
    assert both is not None
    assert both.text.splitlines() == [f"- {BLOG}: no", f"- over: {SHOP}: in 20 days"]


# State


class Looks:
    """Looks one after the other, by one state file."""

    def __init__(self, path: Path) -> None:
        self.path, self.now = path, NOW

    def __call__(self, seen: Facts, reason: str | None = None, *, minutes: int = 5, **more: Any) -> str | None:
        """Return what a receiver is sent, which it does not take for a ``reason``."""
        self.now += dt.timedelta(minutes=minutes)
        one = settings(**more)
        state = State(self.path, one, seen._replace(now=self.now))
        message = news(one.name, state.sent(HOOK), state.problems)
        if message is not None:
            self.logged = [*state.note({HOOK.id: reason})]
        self.failing = state.failing
        state.save()
        return None if message is None else message.kind


@pytest.fixture
def looks(tmp_path: Path) -> Looks:
    return Looks(tmp_path / "state.json")


def test_a_problem_is_sent_once_and_its_end_once(looks: Looks) -> None:
    bad, good = facts(leaf(5)), facts()
    assert [looks(one) for one in (good, bad, bad, bad, good, good)] == [None, PROBLEM, None, None, OVER, None]


def test_a_receiver_that_was_down_gets_the_message_later(looks: Looks) -> None:
    bad = facts(leaf(5))
    assert looks(bad, "it answers 503") == PROBLEM
    assert looks.logged == ["alerts: https://hook.example.com: it answers 503"]
    since = looks.failing["hook"]["since"]
    assert looks(bad, "it answers 503") == PROBLEM
    assert looks.failing["hook"]["since"] == since
    assert looks(bad) == PROBLEM
    assert (looks(bad), looks.failing) == (None, {})


def test_what_came_and_went_while_a_receiver_was_down_is_no_news(looks: Looks) -> None:
    assert looks(facts(leaf(5)), "it answers 503") == PROBLEM
    assert looks(facts()) is None


@pytest.mark.parametrize("seen", [facts(served={SHOP: None}), facts(served={SHOP: leaf(der=b"b")})])
def test_what_a_reload_can_cause_counts_when_it_is_seen_again(looks: Looks, seen: Facts) -> None:
    assert [looks(one) for one in (seen, facts(), seen, seen, seen)] == [None, None, None, PROBLEM, None]
    # Where nothing can be asked, nothing is over.
    assert looks(facts(reached=None, served={})) is None
    assert looks(facts()) == OVER


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"sent": 1}', '{"at":1,"sent":{"hook":{"end x":["a"]}},"seen":{},"failing":{}}', "\x00"]
)
def test_a_state_that_cannot_be_read_is_that_of_a_first_look(looks: Looks, text: str) -> None:
    looks.path.write_text(text)
    assert loaded(looks.path)["sent"] == {}
    assert looks(facts(leaf(5))) == PROBLEM


def test_the_state_holds_no_credentials(looks: Looks) -> None:
    looks(facts(leaf(5)), "it answers 401")
    assert "secret" not in looks.path.read_text()


# Settings


def test_settings_are_read_back(tmp_path: Path) -> None:
    mail = Receiver(
        "m",
        "smtps://mail",
        "smtps",
        user="u",
        password="p",
        host="mail",
        port=465,
        sender="a@b.example",
        to=("c@d.example",),
    )
    one = settings(watched(), watched(BLOG, imported=True), receivers=(HOOK, mail), ping="https://ping.example.com/x")
    (tmp_path / "s").write_text(written(one))
    assert read(tmp_path / "s") == one


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"receivers": [{}], "sites": []})])
def test_settings_of_another_version_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "s").write_text(text)
    assert read(tmp_path / "s") is None
    assert read(tmp_path / "missing") is None


# Receivers

PARTS = st.sampled_from(
    [
        *("https://", "ntfys://", "smtp://", "slack://", "u:p@", "tok@", "h.example", "[::1]", ":8443", "/", "topic"),
        *("?from=a@b.example&to=c@d.example", "%0d%0a", "%40", "#x", "\r\n", "é", " ", "secret"),
    ]
)


@given(st.lists(PARTS, min_size=1, max_size=8).map("".join))
def test_any_text_is_a_receiver_without_control_characters_or_an_error_that_does_not_quote_it(text: str) -> None:
    try:
        one = receiver(text)
    except InputError as error:
        refused = f"{error} {error.hint}"
    else:
        assert all(part.isprintable() for part in (one.label, one.url, one.topic, one.user or "", one.password or ""))
        assert "@" not in one.label
        refused = repr(one).replace(one.label, "")
    assert "secret" not in refused


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://u:p%40@h.example:8443/x?y=1", ("webhook", "https://h.example:8443/x?y=1", "u", "p@")),
        ("http://tok@10.0.0.1/x", ("webhook", "http://10.0.0.1/x", None, "tok")),
        ("ntfys://ntfy.sh/shop", ("ntfy", "https://ntfy.sh/", None, None)),
        ("tgram://bot/chat", ("apprise", "tgram://bot/chat", None, None)),
    ],
)
def test_what_a_url_says(text: str, expected: tuple[str | None, ...]) -> None:
    one = receiver(text)
    assert (one.kind, one.url, one.user, one.password) == expected


@pytest.mark.parametrize(("login", "scheme", "port"), [("u:p@", "smtp", 587), ("", "smtp", 25), ("", "smtps", 465)])
def test_the_port_of_a_mail_server(login: str, scheme: str, port: int) -> None:
    one = receiver(f"{scheme}://{login}m.example?from=a@b.example&to=c@d.example,e@f.example")
    assert (one.kind, one.host, one.port, one.to) == (scheme, "m.example", port, ("c@d.example", "e@f.example"))
