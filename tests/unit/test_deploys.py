from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from stackctl.errors import StackfileError
from stackctl.model.deploying import DeploySettings
from stackctl.model.health import HealthCheck
from stackctl.model.project import Mount, Project, Service
from stackctl.stackfile.deploys import deploys_of
from stackctl.stackfile.document import Document
from tests.unit.build import project, service

FILE = """\
services:
  web:
    image: web:1
    {key}
    x-stackctl:
      domains: [a.example.com]
      port: 8000
      {more}
"""


def settings(more: str = "", key: str = "init: true", **resolved: Any) -> DeploySettings:
    doc = Document.parse(FILE.format(key=key, more=more), "compose.yaml")
    web: Service = replace(service("web"), **resolved)
    found: Project = project(web)
    return deploys_of(doc, found)["web"]


def test_without_keys_the_defaults_are_documented_ones() -> None:
    found = settings()
    assert found == DeploySettings(where="compose.yaml:2")
    assert (found.drain, found.timeout, found.health, found.before) == (30, None, None, ())


@pytest.mark.parametrize(
    ("written", "argv"),
    [
        ("python manage.py migrate --run 'a b'", ("python", "manage.py", "migrate", "--run", "a b")),
        ("[sh, -c, 'a && b']", ("sh", "-c", "a && b")),
    ],
)
def test_a_command_is_split_as_compose_splits_one(written: str, argv: tuple[str, ...]) -> None:
    assert settings(f"deploy: {{before: {_quoted(written)}}}").before == argv


def _quoted(text: str) -> str:
    return text if text.startswith("[") else f'"{text}"'


def test_times_and_health() -> None:
    found = settings("deploy: {drain: 500ms, timeout: 2m}\n      health: {path: /up?x=1, status: '200,401-403'}")
    assert (found.drain, found.timeout) == (0.5, 120)
    assert found.health == HealthCheck("/up?x=1", ((200, 200), (401, 403)), 3.0)
    assert [found.health.accepts(status) for status in (200, 302, 402, None)] == [True, False, True, False]
    assert str(found.health) == "/up?x=1 with 200,401-403"


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("deploy: {befor: x}", "has no key 'befor'"),
        ("deploy: {drain: 30}", "got a whole number"),
        ("deploy: {drain: 30 s}", "'30 s' is not a duration"),
        ("deploy: {timeout: 0s}", "'0s' is not a duration"),
        ("deploy: {before: ''}", "'before' has no command"),
        ("deploy: {before: []}", "'before' has no command"),
        ('deploy: {before: "sh -c \'a"}', "is not a command"),
        ("deploy: [before]", "a mapping"),
        ("health: {status: 200}", "missing required field `path`"),
        ("health: {path: healthz}", "'healthz' is not a path"),
        ("health: {path: '/a b'}", "'/a b' is not a path"),
        ('health: {path: "/a\\r\\nX: y"}', "is not a path"),
        ("health: {path: /, status: ok}", "'ok' is not a list of statuses"),
        ("health: {path: /, status: 399-200}", "is not a list of statuses"),
        ("health: {path: /, status: 99}", "is not a list of statuses"),
        ("health: {path: /, timeout: never}", "'never' is not a duration"),
        ("health: {path: /, rise: 0}", ">= 1"),
    ],
)
def test_a_wrong_value_is_refused_with_its_line(more: str, problem: str) -> None:
    with pytest.raises(StackfileError) as refused:
        settings(more)
    assert problem in str(refused.value)
    assert str(refused.value).startswith("compose.yaml:8: ")


WRITTEN = Mount("volume", "data", "/data")


@pytest.mark.parametrize(
    ("key", "resolved", "reason"),
    [
        ("container_name: web", {"container_name": "web"}, "only one container can be named web"),
        ("ports: ['8000:8000']", {"publishes": True}, "only one container can publish a port of the host"),
        ("networks: {default: {ipv4_address: 10.1.0.9}}", {"addresses": frozenset({"10.1.0.9"})}, "a fixed address"),
        ("network_mode: none", {"networks": frozenset()}, "it is on no network of its own"),
        ("deploy: {update_config: {order: stop-first}}", {"order": "stop-first"}, "its update_config says stop-first"),
        ("volumes: ['data:/data']", {"mounts": (WRITTEN,)}, "its one container writes to a volume at /data"),
    ],
)
def test_why_the_old_container_stops_first(key: str, resolved: dict[str, Any], reason: str) -> None:
    found = settings(key=key, **resolved).stop_first
    assert found is not None
    assert reason in found.text
    assert found.where == "compose.yaml:4"


@pytest.mark.parametrize(
    "resolved",
    [
        {"mounts": (replace(WRITTEN, read_only=True),)},
        {"mounts": (WRITTEN,), "replicas": 2},
        {"mounts": (WRITTEN,), "order": "start-first"},
    ],
)
def test_containers_that_may_run_at_once(resolved: dict[str, Any]) -> None:
    assert settings(**resolved).stop_first is None


def test_the_order_of_the_file_does_not_make_the_impossible_possible() -> None:
    assert settings(publishes=True, order="start-first").stop_first is not None
