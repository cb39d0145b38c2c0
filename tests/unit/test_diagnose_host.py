"""The checks of the host: a fault is wrong, and what depends on it is unknown."""

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
    images=(Image("nginx", "nginx:1.30", local=True), Image("app", "app:latest", local=False, builds=True)),
    ports=OWN,
    proxy=PROXY,
    disks=(Disk("/srv", 10**10, 10**6), Disk("/btrfs", 10**10, None)),
    ca=CaDirectory(URL, timedelta(seconds=-60)),
)
AWAY = Program(problem="the Docker Engine does not answer", hint="start Docker")
TAKEN = (Port("http-port", HTTP, "apache2 (pid 7)", own=False), Port("https-port", HTTPS, None, own=False))
DOWN = replace(PROXY, state=None, answers=None)


def verdicts(facts: HostFacts) -> dict[str, Verdict]:
    return {check.name: check.verdict for check in judge_host(facts)}


def test_healthy_host() -> None:
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
        (replace(WELL, images=(Image("app", "app:1", local=False),)), "images", set()),
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
def test_one_fault_is_wrong_and_what_depends_on_it_unknown(facts: HostFacts, broken: str, unknown: set[str]) -> None:
    found = judge_host(facts)
    assert [check.name for check in found_wrong(found)] == [broken]
    assert found_wrong(found)[0].todo
    assert {check.name for check in found if check.verdict is Verdict.UNKNOWN} == unknown


def test_without_a_time_to_compare_the_clock_is_unknown() -> None:
    (clock,) = [c for c in judge_host(replace(WELL, ca=CaDirectory(URL, problem="no answer"))) if c.name == "clock"]
    assert clock.verdict is Verdict.UNKNOWN
    assert clock.todo


def test_without_a_stack_only_the_host_is_judged() -> None:
    bare = HostFacts(Program("29"), Program("5"), ComposeFile(None), disks=WELL.disks, ca=WELL.ca)
    assert found_wrong(judge_host(bare)) == []
    assert "proxy" not in verdicts(bare)


def test_a_wrong_clock_is_reported_with_its_direction() -> None:
    for seconds, word in ((3600, "ahead of"), (-3600, "behind")):
        (clock,) = found_wrong(judge_host(replace(WELL, ca=CaDirectory(URL, timedelta(seconds=seconds)))))
        assert word in clock.text
