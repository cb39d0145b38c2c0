from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from stackctl.adapters.fakes.certbot import FakeCertbot
from stackctl.adapters.fakes.engine import FakeEngine
from stackctl.errors import EngineError, ExitCode, InputError
from stackctl.model.values import ServiceName
from stackctl.observed.containers import Output
from stackctl.observed.ports import CommandKilled
from stackctl.usecases.init import InitOptions
from tests.usecases.world import World, data, done


def test_a_name_the_ca_refuses_stays_on_http_and_the_others_are_issued(stack: World) -> None:
    stack.fake.faults.issue["two.example.com"] = "dns"
    for name in ("one", "two", "three"):
        stack.add(f"{name}.example.com", issue=False)
    result = stack.up()
    assert result.code is ExitCode.ISSUE_FAILED
    assert len(result.errors) == 1
    assert stack.report.stages[0] == "issuing 0/3, 1 running"
    assert stack.report.stages[-1] == "issuing 2/3, 1 failed"
    assert "two.example.com" in result.errors[0].message
    assert "A or AAAA record" in (result.errors[0].hint or "")
    assert stack.served() == {"one.example.com": "real", "two.example.com": "dummy", "three.example.com": "real"}
    assert not stack.on_http("one.example.com")
    assert stack.on_http("two.example.com")
    issued = list(stack.fake.ca.issued)

    stack.fake.faults.issue.clear()
    done(stack.up())
    assert stack.fake.ca.issued[len(issued) :] == [("two.example.com",)], "and only that one"
    assert stack.served()["two.example.com"] == "real"


def test_add_app_tells_that_its_certificate_was_not_issued(site: World) -> None:
    site.fake.faults.issue["two.example.com"] = "rateLimited"
    result = site.add("two.example.com")
    assert result.code is ExitCode.ISSUE_FAILED
    assert "rate limit" in (result.errors[0].hint or "")
    assert site.served() == {"one.example.com": "real", "two.example.com": "dummy"}
    site.fake.faults.issue.clear()
    done(site.add("two.example.com"))
    assert site.served()["two.example.com"] == "real"


def test_without_agreement_no_ca_is_asked(world: World) -> None:
    done(world.init(InitOptions()))
    result = world.add("one.example.com")
    assert result.code is ExitCode.ISSUE_FAILED
    assert "terms of service" in result.errors[0].message
    assert world.fake.ca.issued == []
    assert world.served() == {"one.example.com": "dummy"}


def test_what_is_on_disk_and_valid_is_never_issued_again(site: World) -> None:
    done(site.add("one.example.com"))
    done(site.init())
    done(site.up())
    done(site.add("two.example.com"))
    done(site.down())
    done(site.up())
    done(site.remove("one.example.com"))
    done(site.add("one.example.com"))
    assert site.fake.ca.issued == [("one.example.com",), ("two.example.com",)]


def test_a_restored_directory_is_served_without_asking_the_ca(site: World, tmp_path: Path) -> None:
    other = site.copy(tmp_path / "elsewhere" / "stack")
    other.fake.runs, other.fake.loaded = {}, {}
    done(other.up())
    assert other.served() == {"one.example.com": "real"}
    assert len(other.fake.ca.issued) == 1


def test_without_python_in_the_image_certificates_are_issued_one_by_one(stack: World) -> None:
    stack.fake.faults.no_python = True
    done(stack.add("one.example.com"))
    assert stack.served() == {"one.example.com": "real"}
    assert any("no Python" in note for note in stack.report.notes)


@pytest.mark.parametrize("unlucky", [1, 3, 4])
def test_one_by_one_a_refused_nonce_is_tried_again(stack: World, monkeypatch: pytest.MonkeyPatch, unlucky: int) -> None:
    stack.fake.faults.no_python = True
    execute, refusals = stack.fake.execute, iter(range(unlucky))

    def refused(container: str, command: Sequence[str]) -> Output:
        if command[0] == "certbot" and next(refusals, None) is not None:
            words = "JWS has an invalid anti-replay nonce: W2T_vHy1hI77PaBMQ7r3yg"
            return Output(1, f"An unexpected error occurred:\n{words}\nAsk for help or search for solutions at ...\n")
        return execute(container, command)

    monkeypatch.setattr(stack.fake, "execute", refused)
    result = stack.add("one.example.com")
    said = "one.example.com: JWS has an invalid anti-replay nonce: W2T_vHy1hI77PaBMQ7r3yg"
    assert [str(error) for error in result.errors] == ([said] if unlucky == 4 else [])
    assert stack.served() == {"one.example.com": "dummy" if unlucky == 4 else "real"}


def test_a_container_stopped_at_work_is_reported_as_that(stack: World, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = stack.fake.stream

    def stopped(service: str, command: Sequence[str], stdin: str) -> Iterator[str]:
        for line in stream(service, command, stdin):
            yield line
            raise CommandKilled("it was killed (exit code 137)")

    with monkeypatch.context() as patch:
        patch.setattr(stack.fake, "stream", stopped)
        result = stack.add("one.example.com")
    (error,) = result.errors
    assert str(error) == (
        "one.example.com: the container of certbot was stopped while certbot was running, or it ran out of memory"
    )
    assert "stackctl logs certbot" in (error.hint or "")
    done(stack.add("one.example.com"))


def test_a_certbot_service_that_dies_at_once_is_not_taken_for_one_without_python(stack: World) -> None:
    done(stack.down())
    stack.fake.faults.exits = {ServiceName("certbot")}
    result = stack.add("one.example.com")
    assert "one.example.com: the certbot service is not running" in [str(error) for error in result.errors]
    assert not any("no Python" in note for note in stack.report.notes)


@pytest.mark.parametrize("heard", [False, True])
def test_what_no_ca_answered_does_not_count_against_its_limits(
    stack: World, monkeypatch: pytest.MonkeyPatch, heard: bool
) -> None:
    stream = stack.fake.stream

    def ends(service: str, command: Sequence[str], stdin: str) -> Iterator[str]:
        if not heard:
            raise EngineError("service 'certbot' is not running")
        yield next(iter(stream(service, command, stdin)))
        raise EngineError("connection reset")

    done(stack.add("one.example.com", issue=False))
    monkeypatch.setattr(stack.fake, "stream", ends)
    if not heard:
        monkeypatch.setattr(stack.fake, "execute", _no_ca)
    result = stack.up()
    assert result.code is ExitCode.ISSUE_FAILED
    assert stack.host.directory.ledger().entries == ()


def _no_ca(_container: str, _command: Sequence[str]) -> Output:
    return Output(1, "No module named certbot\n")


def test_what_the_ca_answered_counts_against_its_limits(stack: World) -> None:
    stack.fake.faults.issue["two.example.com"] = "dns"
    stack.add("one.example.com")
    stack.add("two.example.com")
    entries = stack.host.directory.ledger().entries
    assert [(entry.names, entry.issued) for entry in entries] == [
        (("one.example.com",), True),
        (("two.example.com",), False),
    ]


def test_issued_without_a_certificate_on_disk_is_a_failure(stack: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeCertbot, "_store", lambda *_arguments: None)
    result = stack.add("one.example.com")
    assert result.code is ExitCode.ISSUE_FAILED
    assert "certbot reports it as issued, but" in str(result.errors[0])
    assert stack.served() == {"one.example.com": "dummy"}


def test_issued_without_one_of_the_names_is_a_failure(stack: World, monkeypatch: pytest.MonkeyPatch) -> None:
    issue = stack.fake.ca.issue
    monkeypatch.setattr(stack.fake.ca, "issue", lambda domains, now: issue(domains[:1], now))
    result = stack.add("one.example.com", "www.example.com")
    assert result.code is ExitCode.ISSUE_FAILED
    assert "the certificate does not cover www.example.com" in str(result.errors[0])


def test_renewal_with_nothing_due_asks_no_engine(site: World) -> None:
    site.clock.now += timedelta(days=2)  # what was issued today is looked at on the wire
    site.fake.faults.away = True
    calls = len(site.fake.calls)
    result = done(site.renew())
    assert data(result)["apps"] == [
        {"app": "one.example.com", "days_left": 88, "status": "skipped", "reason": "not due"}
    ]
    assert len(site.fake.calls) == calls


@pytest.mark.parametrize(
    ("lifetime", "not_yet", "due"),
    [(90, 59, 61), (64, 42, 43), (45, 29, 31), (6, 2, 4)],
)
def test_a_certificate_is_due_in_the_last_third_of_its_life_or_half_of_a_short_one(
    stack: World, lifetime: int, not_yet: int, due: int
) -> None:
    stack.fake.ca.lifetime = timedelta(days=lifetime)
    done(stack.add("one.example.com"))
    start = stack.clock.now
    stack.clock.now = start + timedelta(days=not_yet)
    assert not stack.renew().plan
    stack.clock.now = start + timedelta(days=due)
    result = done(stack.renew())
    assert [row["status"] for row in data(result)["apps"]] == ["renewed"]
    assert stack.served() == {"one.example.com": "real"}
    assert not stack.renew().plan


def test_only_what_is_due_is_renewed(site: World) -> None:
    site.clock.now += timedelta(days=50)
    done(site.add("two.example.com"))
    site.clock.now += timedelta(days=20)
    result = done(site.renew())
    assert {row["app"]: row["status"] for row in data(result)["apps"]} == {
        "one.example.com": "renewed",
        "two.example.com": "skipped",
    }


def test_force_renews_what_is_not_due_also_by_its_alias(stack: World) -> None:
    done(stack.add("one.example.com", "www.example.com"))
    old = stack.fake.loaded["one.example.com"]
    result = done(stack.renew("www.example.com"))
    assert [row["status"] for row in data(result)["apps"]] == ["renewed"]
    assert stack.fake.loaded["one.example.com"] != old
    assert stack.served() == {"one.example.com": "real"}


def test_force_of_an_unknown_name_is_refused(site: World) -> None:
    with pytest.raises(InputError) as refused:
        site.renew("none.example.com")
    assert refused.value.field == "force"


def test_a_dry_run_of_renew_asks_no_ca(site: World) -> None:
    site.clock.now += timedelta(days=70)
    before = site.tree()
    result = site.renew(dry_run=True)
    assert "issue a certificate for one.example.com  (it is due: 20 days left)" in str(result.plan)
    assert site.tree() == before
    assert len(site.fake.ca.issued) == 1


def test_a_renewal_that_fails_leaves_the_old_certificate_served_and_the_others_renewed(site: World) -> None:
    done(site.add("two.example.com"))
    old = site.fake.loaded["one.example.com"]
    site.clock.now += timedelta(days=70)
    site.fake.faults.issue["one.example.com"] = "connection"
    result = site.renew()
    assert result.code is ExitCode.ISSUE_FAILED
    rows = {row["app"]: row for row in data(result)["apps"]}
    assert (rows["one.example.com"]["status"], rows["two.example.com"]["status"]) == ("failed", "renewed")
    assert "refused by the fake CA" in rows["one.example.com"]["reason"]
    assert site.fake.loaded["one.example.com"] == old
    assert site.served() == {"one.example.com": "real", "two.example.com": "real"}


def test_one_renewal_one_reload(site: World) -> None:
    done(site.add("two.example.com"))
    site.clock.now += timedelta(days=70)
    before = len(site.asked("execute"))
    done(site.renew())
    assert [call.rpartition(" ")[2] for call in site.asked("execute")[before:]] == ["reload"]


def test_renew_does_not_touch_what_was_edited_meanwhile(site: World) -> None:
    site.edit("      port: 8000\n", "      port: 8000\n      body-size: 1g\n")
    live = site.live()
    done(site.renew("one.example.com"))
    assert site.live() == live, "settings are for 'up' to publish"


def test_renew_leaves_what_cannot_be_used_to_up_and_says_so(site: World) -> None:
    (site.root / "data/certbot/conf/archive/one.example.com/privkey1.pem").write_text("")
    result = done(site.renew())
    assert "stackctl up" in data(result)["apps"][0]["reason"]
    done(site.up())
    assert site.served() == {"one.example.com": "real"}


def test_status_says_what_is(site: World) -> None:
    site.fake.outside.add(("10.0.0.5", 80))
    done(site.add("two.example.com", issue=False))
    done(site.add("out.example.com", "alias.example.com", upstream="10.0.0.5:80"))
    site.fake.remove([number for number, run in site.fake.runs.items() if run.service.name == "two"])
    rows = site.rows()
    (route,) = rows["one.example.com"].pop("routes")
    assert (route["match"], route["target"], route["health"]) == ("/", "one:8000", "running")
    assert rows["one.example.com"] == {
        "app": "one.example.com",
        "aliases": [],
        "upstream": "one:8000",
        "health": "running",
        "parked": None,
        "source": "acme",
        "ending": None,
        "issuer": "Fake CA",
        "not_after": "2026-10-30T12:00:00+00:00",
        "days_left": 90,
        "certificate_problem": None,
        "served": "real",
        "maintenance": None,
        "servers": [],
    }
    assert (rows["two.example.com"]["health"], rows["two.example.com"]["served"]) == ("missing", "dummy")
    assert rows["two.example.com"]["days_left"] is None
    assert (rows["out.example.com"]["health"], rows["out.example.com"]["aliases"]) == ("answers", ["alias.example.com"])


@pytest.mark.parametrize(
    ("replicas", "shown"),
    [
        ([("running", "healthy"), ("running", "unhealthy")], "unhealthy"),
        ([("running", "healthy"), ("running", "starting")], "starting"),
        ([("running", "starting"), ("running", "unhealthy")], "unhealthy"),
        ([("running", "healthy"), ("running", "healthy")], "healthy"),
        ([("running", None), ("running", None)], "running"),
        ([("running", "healthy"), ("exited", None)], "exited"),
        ([("running", "unhealthy"), ("restarting", None)], "restarting"),
        ([("running", "unhealthy"), ("paused", "healthy")], "paused"),
    ],
)
def test_status_shows_the_replica_that_is_worst_off(
    site: World, replicas: list[tuple[str, str | None]], shown: str
) -> None:
    (first,) = [run for run in site.fake.runs.values() if run.service.name == "one"]
    for order in (replicas, replicas[::-1]):
        for number, (state, health) in enumerate(order):
            id_ = first.container.id if number == 0 else "replica"
            container = replace(first.container, id=id_, state=state, health=health)
            site.fake.runs[id_] = replace(first, container=container)
        assert site.rows()["one.example.com"]["health"] == shown


def test_status_sees_a_certificate_that_is_not_the_one_on_disk(site: World) -> None:
    chain, key = site.fake.ca.issue(["one.example.com"], site.clock())
    live = site.root / "data/certbot/conf/live/one.example.com"
    (live / "fullchain.pem").resolve().write_bytes(chain)
    (live / "privkey.pem").resolve().write_bytes(key)
    assert site.served() == {"one.example.com": "other"}


def test_the_program_for_the_certbot_container_needs_nothing_of_this_package(
    stack: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    programs: list[str] = []
    stream = FakeEngine.stream

    def keep(self: FakeEngine, service: str, command: list[str], stdin: str) -> object:
        programs.append(stdin)
        return stream(self, service, command, stdin)

    monkeypatch.setattr(FakeEngine, "stream", keep)
    done(stack.add("one.example.com"))
    program = programs[0].replace("/etc/letsencrypt", str(tmp_path)).replace("/var/www/certbot", str(tmp_path))
    ended = subprocess.run(
        [sys.executable, "-I", "-S", "-"], input=program, capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert ended.returncode == 0, ended.stderr
    events = [json.loads(line) for line in ended.stdout.splitlines()]
    assert events[0]["event"] == "queued"
    assert events[-1]["lineage"] == "one.example.com"
