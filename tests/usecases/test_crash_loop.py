"""A proxy in a crash loop: one 'up' cures it once its cause is gone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stackctl.engine.probe import steady
from stackctl.errors import ExitCode
from stackctl.model.fields import Request
from stackctl.model.values import Domain
from stackctl.observed.containers import Inspected
from stackctl.observed.reply import Failure, Reply
from stackctl.usecases import taken
from stackctl.usecases.explain import explain
from tests.usecases.world import World, data, done

NAME = "one.example.com"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steady, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(taken, "PORT_SECONDS", 0.0)


def loops(world: World, monkeypatch: pytest.MonkeyPatch, state: str) -> str:
    """Put the proxy into a crash loop, seen while it is ``state``; it does not answer. Returns its container's id."""
    (run,) = [run for run in world.fake.runs.values() if run.service.role == "proxy"]
    number = run.container.id
    world.fake.runs[number] = replace(run, container=replace(run.container, state=state))
    generation, inspect = world.fake.generation, world.fake.inspect
    monkeypatch.setattr(world.fake, "generation", lambda at: None if number in world.fake.runs else generation(at))

    def seen(container: str) -> Inspected:
        found = inspect(container)
        details = {"state": state, "restarts": 4, "exit_code": 1}
        return replace(found, **details) if container == number else found  # type: ignore[arg-type]

    monkeypatch.setattr(world.fake, "inspect", seen)
    monkeypatch.setattr(world.fake, "log", lambda _container, _lines: "nginx: [emerg] gone")
    return number


@pytest.mark.parametrize("state", ["running", "restarting"])
def test_one_up_makes_a_new_container_whatever_a_glance_shows(
    site: World, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    number = loops(site, monkeypatch, state)
    result = done(site.up())
    assert "it keeps restarting" in str(result.plan)
    assert number not in site.fake.runs
    assert site.served() == {NAME: "real"}
    assert not site.up().plan


def test_its_own_port_is_not_a_strangers(site: World, monkeypatch: pytest.MonkeyPatch) -> None:
    loops(site, monkeypatch, "restarting")
    site.fake.taken[80] = "docker-proxy"
    done(site.up())


def test_a_stranger_is_named_although_the_proxy_has_a_container(site: World) -> None:
    (run,) = [run for run in site.fake.runs.values() if run.service.role == "proxy"]
    site.fake.runs[run.container.id] = replace(run, container=replace(run.container, state="exited"))
    site.fake.taken[80] = "apache2 (pid 7)"
    with pytest.raises(Exception, match="apache2") as caught:
        site.up()
    assert getattr(caught.value, "code", None) is ExitCode.HOST


def test_doctor_does_not_call_its_own_port_a_strangers(site: World, monkeypatch: pytest.MonkeyPatch) -> None:
    loops(site, monkeypatch, "restarting")
    site.fake.taken[80] = "docker-proxy"
    assert site.doctor()["host"]["http-port"] == "ok"
    assert site.doctor()["host"]["proxy"] == "wrong"


@pytest.mark.parametrize("state", ["running", "restarting"])
def test_explain_says_why_and_where_to_look(site: World, monkeypatch: pytest.MonkeyPatch, state: str) -> None:
    loops(site, monkeypatch, state)
    monkeypatch.setattr(site.fake, "ask", lambda *_, **__: Reply(failure=Failure.CONNECT))
    broken = data(explain(site.host, Domain(NAME), Request("GET", "/")))["broken"]
    assert broken["link"] == "port"
    assert broken["text"].endswith("is in a crash loop: nginx: [emerg] gone")
    assert "'stackctl doctor'" in broken["todo"]


@pytest.mark.parametrize("state", ["running", "restarting"])
def test_doctor_says_how_it_ended_and_what_it_said(site: World, monkeypatch: pytest.MonkeyPatch, state: str) -> None:
    loops(site, monkeypatch, state)
    assert site.doctor()["host"]["proxy"] == "wrong"
    (check,) = [row for one in data(site.diagnosis)["sections"] for row in one["checks"] if row["name"] == "proxy"]
    assert "it ended with code 1 and was restarted 4 times; last log line: nginx: [emerg] gone" in check["text"]
