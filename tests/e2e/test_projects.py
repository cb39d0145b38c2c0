"""A project of the user's in a shape that Compose allows: its own folder, variables, services that use others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.conftest import NewStack
from tests.e2e.helpers import APP_IMAGE, Stack, docker, inspect

pytestmark = pytest.mark.e2e

IDLE = 'command: ["python3", "-c", "import time; time.sleep(10**6)"]\n    stop_signal: SIGKILL'
PROJECT = f"""\
x-stackctl:
  apps:
    - domains: ["${{NAME:?the name}}"]
      service: web
      port: "${{PORT:-8000}}"
services:
  web:
    image: {APP_IMAGE}
    environment: {{GREETING: "${{GREETING:-none}}"}}
    volumes: ["./html:/html:ro"]
  vpn:
    image: {APP_IMAGE}
    {IDLE}
    volumes: [kept:/kept]
    environment: {{ROUND: "${{ROUND:-1}}"}}
  inside:
    image: {APP_IMAGE}
    {IDLE}
    network_mode: "service:vpn"
    pid: service:vpn
  reader:
    image: {APP_IMAGE}
    {IDLE}
    volumes_from: ["vpn:ro"]
  later:
    image: {APP_IMAGE}
    {IDLE}
    depends_on: {{vpn: {{condition: service_started, restart: true}}}}
volumes: {{kept: {{}}}}
"""


@dataclass
class Project:
    """The stack, the Compose file in its folder, and the containers from before stackctl."""

    stack: Stack
    file: Path
    name: str
    there: dict[str, str]

    def variables(self, **values: str) -> None:
        lines = {
            "COMPOSE_FILE": "deploy/compose.yml",
            "COMPOSE_PROJECT_NAME": self.stack.project,
            "NAME": self.name,
            **values,
        }
        (self.stack.directory / ".env").write_text("".join(f"{name}={value}\n" for name, value in lines.items()))


@pytest.fixture(scope="module")
def project(new_stack: NewStack) -> Project:
    stack = new_stack()
    folder = stack.directory / "deploy"
    (folder / "html").mkdir(parents=True)
    (folder / "html" / "page").write_text("the page\n")
    made = Project(stack, folder / "compose.yml", stack.domain("shop"), {})
    made.file.write_text(PROJECT)
    made.variables()
    stack.add_dns(made.name)
    stack.compose("up", "--detach")
    made.there |= stack.containers()
    stack.init()
    return made


def test_the_services_of_the_user_are_as_before(project: Project) -> None:
    stack = project.stack
    assert {service: stack.container(service) for service in project.there} == project.there
    assert docker("exec", project.there["web"], "cat", "/html/page") == "the page"
    assert stack.trusted(project.name)
    assert not (stack.directory / "html").exists()
    (mount,) = [one for one in inspect(stack.container("nginx"))["Mounts"] if one["Destination"] == "/etc/nginx"]
    assert mount["Source"] == str(stack.directory / "nginx")


def test_both_programs_find_nothing_to_do_after_each_other(project: Project) -> None:
    stack = project.stack
    before = stack.state()
    assert "nothing to do" in stack.ok("up").stdout
    stack.compose("up", "--detach")
    assert stack.state() == before
    assert "nothing to do" in stack.ok("plan").stdout
    # A container that plain Compose made anew is as it should be, too.
    stack.compose("up", "--detach", "--force-recreate", "vpn", "inside", "reader", "later")
    assert "nothing to do" in stack.ok("plan").stdout


def test_a_service_that_is_replaced_takes_those_with_it_that_use_it(project: Project) -> None:
    stack = project.stack
    before = stack.containers()
    project.variables(ROUND="2")
    shown = stack.ok("plan").stdout
    for service in ("vpn", "inside", "later", "reader"):
        assert f"start service {service}" in shown
    stack.ok("up")
    after = stack.containers()
    assert {service for service in before if before[service] != after[service]} >= {"vpn", "inside", "reader"}
    assert after["web"] == before["web"]
    assert inspect(after["inside"])["HostConfig"]["NetworkMode"] == f"container:{after['vpn']}"
    assert "nothing to do" in stack.ok("plan").stdout


def test_a_variable_of_the_route_is_planned_like_an_edit(project: Project) -> None:
    stack, old = project.stack, project.name
    project.name = stack.domain("market")
    stack.add_dns(project.name)
    project.variables(ROUND="2")
    assert f"issue a certificate for {project.name}" in stack.ok("plan").stdout
    stack.ok("up")
    assert stack.trusted(project.name)
    assert stack.refused(old)
    assert "${NAME:?the name}" in project.file.read_text()
    assert "the name" in stack.fails(3, "plan", environment={"NAME": ""}).stderr


def test_a_renamed_directory_is_recognized_and_both_ways_out_work(new_stack: NewStack) -> None:
    stack = new_stack()
    stack.init()
    name = stack.add("app1")
    old, new = stack.directory, stack.directory.with_name(f"{stack.directory.name}-moved")
    there = stack.containers()
    old.rename(new)
    stack.directory = new
    try:
        for arguments in (["up"], ["plan"], ["status"], ["add-app", stack.domain("app2"), "--image", APP_IMAGE]):
            said = stack.fails(5, *arguments).stderr
            assert "the directory was renamed" in said
            assert f"mv {new} {old}" in " ".join(said.split())
            assert f"name: {old.name}" in said
        assert stack.trusted(name)
        # One way: back.
        new.rename(old)
        stack.directory = old
        assert "nothing to do" in stack.ok("plan").stdout
        assert stack.containers() == there
        # The other: the name of the project stays.
        old.rename(new)
        stack.directory = new
        stack.file.write_text(f"name: {old.name}\n{stack.file.read_text()}")
        assert "its definition changed" in stack.ok("plan").stdout
        stack.ok("up")
        assert stack.trusted(name)
        assert "nothing to do" in stack.ok("plan").stdout
        container = stack.compose("ps", "--quiet", "nginx").strip()
        assert str(new / "nginx") in {mount["Source"] for mount in inspect(container)["Mounts"]}
        assert not old.exists()
    finally:
        if new.exists():
            new.rename(old)
        stack.directory = old
