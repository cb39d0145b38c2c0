"""``alerts test`` and ``alerts send``, and what ``doctor`` says of receivers."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from types import ModuleType

import pytest

from stackctl.adapters.notify import notify
from stackctl.certs.watch.judge import Problem
from stackctl.diagnose.alerts import ALERTS, RECEIVER, AlertFacts, judge_alerts
from stackctl.errors import EngineError, ExitCode, InputError
from stackctl.model.layout import ALERTS_SENT, WATCH_STATE
from stackctl.usecases.alerts import AlertsReport, send, try_receivers
from stackctl.usecases.result import Result
from tests.usecases.world import World, done

WEB, CHAT = "https://hook.example.com/secret", "tgram://secret/chat"
ENDS = Problem("end", "one.example.com", "it ends", "near")


def informing(world: World, *urls: str) -> World:
    world.edit("\nx-stackctl:\n", f"\nx-stackctl:\n  alerts: {{to: {json.dumps(urls)}}}\n")
    done(world.up())
    return world


def rows(result: Result[AlertsReport]) -> list[tuple[str, str | None]]:
    return [(one.receiver, one.problem) for one in result.payload.sent]


def looked(world: World, *problems: Problem, failing: str | None = None) -> None:
    """What the container leaves of a look."""
    at = world.clock.now.timestamp()
    why = {"x": {"since": at, "label": "https://hook.example.com", "reason": failing}} if failing else {}
    state = {"at": at, "sent": {}, "seen": {}, "failing": why, "problems": problems}
    (world.root / WATCH_STATE.path).write_text(json.dumps(state))


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The titles that Apprise sent; it refuses a second message."""
    titles: list[str] = []

    class Apprise:
        def add(self, url: str) -> bool:
            return url == CHAT

        def notify(self, *, title: str, body: str) -> bool:
            titles.append(title)
            return bool(body) and len(titles) != 2

    library = ModuleType("apprise")
    library.Apprise = Apprise  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "apprise", library)
    return titles


def test_each_receiver_is_tried(site: World, sent: list[str]) -> None:
    informing(site, WEB, "ntfys://ntfy.example.com/secret", CHAT)
    site.fake.faults.receivers["ntfys://ntfy.example.com"] = "it answers 403"
    result = try_receivers(site.host)
    assert rows(result) == [
        ("https://hook.example.com", None),
        ("ntfys://ntfy.example.com", "it answers 403"),
        ("tgram://…", None),
    ]
    assert (result.code, sent) == (ExitCode.FAILED, ["stack: test of alerts"])


def test_what_cannot_be_tried_is_said(site: World) -> None:
    with pytest.raises(InputError, match="no receiver of alerts"):
        try_receivers(site.host)
    informing(site, WEB)
    site.edit(WEB, f"{WEB}-2")
    with pytest.raises(InputError, match="not those in use"):
        try_receivers(site.host)
    done(site.up())
    site.fake.runs = {}
    with pytest.raises(EngineError, match="does not run"):
        try_receivers(site.host)


def test_what_only_apprise_reaches_gets_news_alone(site: World, sent: list[str]) -> None:
    informing(site, WEB, CHAT)
    looked(site, ENDS)
    assert rows(send(site.host)) == [("tgram://…", None)]
    assert rows(send(site.host)) == []
    looked(site)
    assert rows(send(site.host)) == [("tgram://…", "it did not take the message")]
    assert rows(send(site.host)) == [("tgram://…", None)]
    assert sent == ["stack: one.example.com: it ends", *["stack: over: one.example.com: it ends"] * 2]
    assert "secret" not in (site.root / ALERTS_SENT).read_text()


def test_without_such_a_receiver_there_is_nothing_to_send(site: World) -> None:
    informing(site, WEB)
    with pytest.raises(InputError, match="reaches all of them"):
        send(site.host)


def test_a_url_that_apprise_does_not_know_and_apprise_that_is_not_there(
    sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert notify("nothing://secret", "t", "b") == "Apprise does not know such a URL"
    monkeypatch.setitem(sys.modules, "apprise", None)
    assert "compose-stackctl[notify]" in (notify(CHAT, "t", "b") or "")
    assert sent == []


def verdicts(world: World) -> dict[str, str]:
    return {
        name: one for checks in world.doctor().values() for name, one in checks.items() if name in {ALERTS, RECEIVER}
    }


def test_doctor_names_receivers_that_do_not_answer(site: World) -> None:
    assert verdicts(site) == {}
    informing(site, WEB)
    looked(site)
    assert verdicts(site) == {ALERTS: "ok"}
    looked(site, failing="it answers 500")
    assert verdicts(site) == {ALERTS: "ok", RECEIVER: "wrong"}


HOUR = timedelta(hours=1)
NOW = datetime(2026, 8, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("started", "looked", "verdict"),
    [
        (NOW - HOUR, NOW, "ok"),
        (NOW - HOUR, NOW - HOUR, "wrong"),
        (NOW - HOUR, None, "wrong"),
        (NOW - HOUR, NOW + HOUR, "wrong"),  # by a wrong clock
        (None, NOW - HOUR, "wrong"),
        (NOW, NOW - HOUR, "unknown"),
        (NOW, None, "unknown"),
    ],
)
def test_whether_anything_looks(started: datetime | None, looked: datetime | None, verdict: str) -> None:
    facts = AlertFacts("certbot", 1, started, looked, (), mounted=True, now=NOW)
    assert [check.verdict for check in judge_alerts(facts)] == [verdict]


def test_doctor_sees_a_service_without_the_mounts(site: World) -> None:
    informing(site, WEB)
    looked(site)
    site.edit("      - ./data/watch:/var/lib/stackctl-watch\n", "")
    done(site.up())
    assert verdicts(site) == {ALERTS: "wrong"}
