"""The host's checks, by table: what is broken is wrong, what stands on it is unknown."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from stackctl.diagnose.check import Verdict, found_wrong
from stackctl.diagnose.host import ComposeFile, Disk, HostFacts, Image, Port, Program, ProxyState, judge_host
from stackctl.model.endpoints import PortBinding
from stackctl.observed.network import CaDirectory

HTTP, HTTPS = PortBinding(None, 80), PortBinding(None, 443)
PROXY = ProxyState("nginx", "running", HTTP, "g1", "g1")
OWN = (Port("http-port", HTTP, "docker-proxy", own=True), Port("https-port", HTTPS, "docker-proxy", own=True))
URL = "https://ca.example/dir"
WELL = HostFacts(
    engine=Program("29.0, API 1.52"),
    compose=Program("5.0"),
    file=ComposeFile("docker-compose.yml", 2),
    images=(Image("nginx", "nginx:1.30", here=True), Image("app", "app:latest", here=False, builds=True)),
    ports=OWN,
    proxy=PROXY,
    disks=(Disk("/srv", 10**10, 10**6), Disk("/btrfs", 10**10, None)),
    ca=CaDirectory(URL, timedelta(seconds=-60)),
)
AWAY = Program(problem="no Docker Engine answers", hint="start Docker")
TAKEN = (Port("http-port", HTTP, "apache2 (pid 7)", own=False), Port("https-port", HTTPS, None, own=False))
DOWN = replace(PROXY, state=None, answers=None)


def verdicts(facts: HostFacts) -> dict[str, Verdict]:
    return {check.name: check.verdict for check in judge_host(facts)}


def test_all_is_well() -> None:
    names = ["engine", "compose", "compose-file", "images", "http-port", "https-port", "proxy"]
    assert list(verdicts(WELL)) == [*names, "disk", "inodes", "clock"]
    assert set(verdicts(WELL).values()) == {Verdict.OK}


@pytest.mark.parametrize(
    ("facts", "broken", "unknown"),
    [
        (replace(WELL, engine=AWAY), "engine", {"images", "http-port", "https-port", "proxy"}),
        (
            replace(WELL, compose=Program(problem="not installed"), images=None, proxy=None, ports=()),
            "compose",
            {"compose-file", "images", "http-port", "https-port", "proxy"},
        ),
        (
            replace(WELL, file=ComposeFile("c.yml", problem="c.yml:3: wrong key"), images=None, proxy=None, ports=()),
            "compose-file",
            {"images", "http-port", "https-port", "proxy"},
        ),
        (replace(WELL, images=(Image("app", "app:1", here=False),)), "images", set()),
        (replace(WELL, ports=TAKEN, proxy=DOWN), "http-port", {"proxy"}),
        (replace(WELL, proxy=DOWN), "proxy", set()),
        (replace(WELL, proxy=replace(PROXY, state="restarting")), "proxy", set()),
        (replace(WELL, proxy=replace(PROXY, answers=None)), "proxy", set()),
        (replace(WELL, proxy=replace(PROXY, answers="g0")), "proxy", set()),
        (replace(WELL, disks=(Disk("/srv", 10**6, 10**6),)), "disk", set()),
        (replace(WELL, disks=(Disk("/srv", 10**10, 10),)), "inodes", set()),
        (replace(WELL, ca=CaDirectory(URL, timedelta(seconds=61))), "clock", set()),
        (replace(WELL, ca=CaDirectory(URL, timedelta(seconds=-61))), "clock", set()),
    ],
)
def test_one_thing_is_wrong_and_what_stands_on_it_unknown(facts: HostFacts, broken: str, unknown: set[str]) -> None:
    found = judge_host(facts)
    assert [check.name for check in found_wrong(found)] == [broken]
    assert found_wrong(found)[0].todo
    assert {check.name for check in found if check.verdict is Verdict.UNKNOWN} == unknown


def test_a_time_nobody_tells_is_unknown_and_says_how_to_find_out() -> None:
    (clock,) = [c for c in judge_host(replace(WELL, ca=CaDirectory(URL, problem="no answer"))) if c.name == "clock"]
    assert clock.verdict is Verdict.UNKNOWN
    assert clock.todo


def test_without_a_stack_the_host_alone_is_judged() -> None:
    bare = HostFacts(Program("29"), Program("5"), ComposeFile(None), disks=WELL.disks, ca=WELL.ca)
    assert found_wrong(judge_host(bare)) == []
    assert "proxy" not in verdicts(bare)


def test_where_the_clock_is_off_its_direction_is_told() -> None:
    for seconds, word in ((3600, "ahead of"), (-3600, "behind")):
        (clock,) = found_wrong(judge_host(replace(WELL, ca=CaDirectory(URL, timedelta(seconds=seconds)))))
        assert word in clock.text
