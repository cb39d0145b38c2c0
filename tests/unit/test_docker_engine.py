"""Reads recorded answers of the Docker API, and checks which of its calls are made."""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from docker.errors import APIError, DockerException, ImageNotFound, NotFound

from stackctl.adapters.docker import images
from stackctl.adapters.docker.client import Client
from stackctl.adapters.docker.engine import docker_engine
from stackctl.adapters.docker.inspected import inspected
from stackctl.errors import EngineError
from stackctl.model.endpoints import PortBinding
from stackctl.observed.containers import Container, Deployment
from stackctl.observed.ports import Engine
from stackctl.stackfile.locate import locate
from tests.unit.recorded import docker_rows

LIST, INSPECT = docker_rows("list"), docker_rows("inspect")


class Api:
    """The low-level client: each call is noted and answered as the test says."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            self.calls.append((name, arguments, named))
            answer = self.answers[name]
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


def engine(**answers: Any) -> tuple[Engine, Api]:
    """The ports of Docker on a client that answers so."""
    files, api = locate(Path("/srv/recorded"), {}), Api(**answers)
    client = Client()
    client.__dict__["sdk"] = SimpleNamespace(api=api)
    return docker_engine(files, client), api


def containers() -> dict[str, Container]:
    found, api = engine(containers=list(LIST.values()))
    seen = found.orchestrator.containers("recorded")
    filters = {"label": ["com.docker.compose.project=recorded", "com.docker.compose.oneoff=False"]}
    assert api.calls == [("containers", (), {"all": True, "filters": filters})]
    return {container.service: container for container in seen}


def test_a_row_of_the_list_is_a_container() -> None:
    row = LIST["plain"]
    assert containers()["plain"] == Container(
        id=row["Id"],
        service="plain",
        state="running",
        health=None,
        image_id=row["ImageID"],
        config_hash="5f09b9031a557c005ee1faf683887bd1a73357c9659ea176dfa6a58f778b07fc",
        role="app",
        addresses=("172.22.0.3",),
        directory="/srv/recorded",
        name="recorded-plain-1",
        networks=frozenset({"recorded_default"}),
    )


def test_state_and_health_are_those_of_the_row() -> None:
    assert {name: (one.state, one.health) for name, one in containers().items()} == {
        "plain": ("running", None),
        "healthy": ("running", "healthy"),
        "unhealthy": ("running", "unhealthy"),
        "starting": ("running", "starting"),
        "paused": ("paused", None),
        "done": ("exited", None),
        "failed": ("exited", None),
        "again": ("restarting", None),
        "created": ("created", None),
        "two-networks": ("running", None),
    }


def test_only_a_container_that_ended_with_code_0_succeeded() -> None:
    assert [name for name, one in containers().items() if one.succeeded] == ["done"]


def test_addresses_are_those_of_all_networks_and_of_a_running_container() -> None:
    seen = containers()
    assert set(seen["two-networks"].addresses) == {"172.22.0.5", "172.21.0.2"}
    assert seen["again"].addresses == seen["created"].addresses == seen["done"].addresses == ()


def test_the_volumes_of_a_row_are_those_that_the_container_writes_to() -> None:
    mounts = [
        {"Type": "volume", "Destination": "/var/lib/app/", "RW": True},
        {"Type": "volume", "Destination": "/assets", "RW": False},
        {"Type": "bind", "Destination": "/srv", "RW": True},
        {"Type": "tmpfs", "Destination": "/tmp", "RW": True},
    ]
    made, _ = engine(containers=[{"Id": "1", "State": "running", "ImageID": "2", "Labels": None, "Mounts": mounts}])
    assert [one.writes for one in made.orchestrator.containers("recorded")] == [("/var/lib/app",)]


def test_a_row_without_labels_and_networks_is_a_container_too() -> None:
    made, _ = engine(containers=[{"Id": "1", "State": "created", "ImageID": "2", "Labels": None}])
    assert made.orchestrator.containers("recorded") == Deployment((Container("1", "", "created", None, "2", ""),))


def test_inspect_shows_health_restarts_and_networks() -> None:
    made, api = engine(inspect_container=INSPECT["unhealthy"])
    seen = made.containers.inspect("1234")
    assert api.calls == [("inspect_container", ("1234",), {})]
    assert (seen.name, seen.service, seen.state) == ("recorded-unhealthy-1", "unhealthy", "running")
    assert (seen.health, seen.health_output, seen.restarts, seen.pid) == ("unhealthy", "nothing listens", 0, 8723)
    assert seen.started == datetime(2026, 11, 26, 18, 19, 14, 357498, UTC)
    assert seen.networks == {"recorded_default": "172.22.0.9"}
    assert seen.environment["PORT"] == "8000"
    again = inspected(INSPECT["again"])
    assert (again.state, again.running, again.exit_code, again.restarts, again.pid) == ("restarting", False, 3, 6, 0)
    assert again.addresses == frozenset()
    both = inspected(INSPECT["two-networks"])
    assert both.networks == {"recorded_default": "172.22.0.5", "recorded_other": "172.21.0.2"}
    created = inspected(INSPECT["created"])
    assert (created.state, created.started, created.health) == ("created", None, None)


PORTS = [
    {
        "Names": ["/any-1"],
        "Ports": [
            {"IP": "0.0.0.0", "PublicPort": 80, "Type": "tcp"},
            {"IP": "::", "PublicPort": 80, "Type": "tcp"},
        ],
    },
    {
        "Names": ["/one-1"],
        "Ports": [{"IP": "127.0.0.1", "PublicPort": 81, "Type": "tcp"}, {"PrivatePort": 80, "Type": "tcp"}],
    },
    {"Names": ["/six-1"], "Ports": [{"IP": "::1", "PublicPort": 82, "Type": "tcp"}]},
    {"Names": ["/udp-1"], "Ports": [{"IP": "0.0.0.0", "PublicPort": 8080, "Type": "udp"}]},
    {"Names": ["/none-1"], "Ports": None},
]


@pytest.mark.parametrize(
    ("at", "holder"),
    [
        (PortBinding(None, 80), "any-1"),
        (PortBinding("127.0.0.1", 80), "any-1"),
        (PortBinding(None, 81), "one-1"),
        (PortBinding("127.0.0.1", 81), "one-1"),
        (PortBinding("127.0.0.2", 81), None),
        (PortBinding("::1", 82), "six-1"),
        (PortBinding("127.0.0.1", 82), None),
        (PortBinding(None, 8080), None),
    ],
)
def test_who_publishes_a_port(at: PortBinding, holder: str | None) -> None:
    made, api = engine(containers=PORTS)
    assert made.containers.publisher(at) == (None if holder is None else f"the container {holder}")
    assert api.calls == [("containers", (), {"filters": {"publish": f"{at.port}/tcp"}})]


@pytest.mark.parametrize(
    ("image", "ports"),
    [
        ({"Config": {"ExposedPorts": {"8000/tcp": {}, "443/tcp": {}, "53/udp": {}}}}, (443, 8000)),
        ({"Config": {"ExposedPorts": None}}, ()),
        ({"Config": None}, ()),
        (NotFound("does not exist"), ()),
    ],
)
def test_an_image_exposes_its_tcp_ports(image: object, ports: tuple[int, ...]) -> None:
    assert engine(inspect_image=image)[0].images.exposed_ports("app:1") == ports


@pytest.mark.parametrize(("image", "id_"), [({"Id": "sha256:1"}, "sha256:1"), (NotFound("does not exist"), None)])
def test_an_image_that_is_not_there_has_no_id(image: object, id_: str | None) -> None:
    assert engine(inspect_image=image)[0].images.image_id("app:1") == id_


def processes(*rows: tuple[str, str]) -> dict[str, Any]:
    return {"Titles": ["PID", "COMMAND"], "Processes": [list(row) for row in rows]}


@pytest.mark.parametrize(
    ("rows", "sent"),
    [
        ([("8723", "nginx: master process nginx -g daemon off;"), ("8730", "nginx: worker process")], True),
        ([("8723", "/bin/sh -c # stackctl: serves"), ("8730", "nginx: master process nginx")], True),
        ([("8723", "/bin/sh -c nginx"), ("8730", "nginx: master process nginx")], False),
        ([("8730", "nginx: master process nginx")], False),
    ],
)
def test_a_signal_is_sent_only_where_the_first_process_is_the_one_that_is_meant(
    rows: list[tuple[str, str]], sent: bool
) -> None:
    made, api = engine(inspect_container=INSPECT["unhealthy"], top=processes(*rows), kill=None)
    assert made.containers.signal("1234", "HUP", ("/bin/sh -c # stackctl", "nginx: master process")) is sent
    assert [call for call in api.calls if call[0] == "kill"] == ([("kill", ("1234", "HUP"), {})] if sent else [])


def test_no_signal_is_sent_where_the_engine_cannot_list_processes() -> None:
    """As on a host without 'ps': the caller then runs its command."""
    refusal = APIError("500", explanation='ps: exec: "ps": executable file not found in $PATH')
    made, api = engine(inspect_container=INSPECT["unhealthy"], top=refusal)
    assert made.containers.signal("1234", "HUP", ("/bin/sh -c # stackctl", "nginx: master process")) is False
    assert [name for name, *_ in api.calls] == ["inspect_container", "top"]


def test_a_command_in_a_container_ends_with_its_code_and_output() -> None:
    made, api = engine(exec_create={"Id": "e1"}, exec_start=b"said \xff\n", exec_inspect={"ExitCode": 3})
    done = made.containers.execute("1234", ["nginx", "-t"])
    assert (done.code, done.text) == (3, "said \ufffd\n")
    assert api.calls[0] == ("exec_create", ("1234", ["nginx", "-t"]), {})


def test_containers_are_stopped_and_removed_and_those_that_are_gone_are_ignored() -> None:
    made, api = engine(inspect_container={"Config": {}}, stop=None, remove_container=None)
    made.orchestrator.remove(["1", "2"])
    assert sorted(api.calls) == [
        ("inspect_container", ("1",), {}),
        ("inspect_container", ("2",), {}),
        ("remove_container", ("1",), {"force": True}),
        ("remove_container", ("2",), {"force": True}),
        ("stop", ("1",), {"timeout": 10}),
        ("stop", ("2",), {"timeout": 10}),
    ]
    engine(inspect_container=NotFound("gone"))[0].orchestrator.remove(["1"])
    engine(inspect_container={"Config": {}}, stop=NotFound("gone"))[0].orchestrator.remove(["1"])


@pytest.mark.parametrize("grace", [0, 120])
def test_a_container_gets_the_grace_period_of_its_own_definition(grace: int) -> None:
    made, api = engine(inspect_container={"Config": {"StopTimeout": grace}}, stop=None, remove_container=None)
    made.orchestrator.remove(["1"])
    assert ("stop", ("1",), {"timeout": grace}) in api.calls


def test_a_log_is_text_without_blank_ends() -> None:
    made, api = engine(logs=b"\nsaid \xff\n\n")
    assert made.containers.log("1234", 20) == "said \ufffd"
    assert api.calls == [("logs", ("1234",), {"tail": 20})]


def test_a_tree_is_read_through_the_container_of_a_role_of_this_directory() -> None:
    made, api = engine(containers=[])
    with pytest.raises(EngineError, match="no certbot container through which /etc/letsencrypt could be read"):
        made.containers.read_tree("certbot", "/etc/letsencrypt")
    labels = ["com.docker.compose.project.working_dir=/srv/recorded", "stackctl.role=certbot"]
    assert api.calls == [("containers", (), {"all": True, "filters": {"label": labels}})]


@pytest.mark.parametrize(
    ("raised", "message", "has_hint"),
    [
        (ImageNotFound("x", explanation="does not exist: x"), "the image does not exist: does not exist: x", False),
        (APIError("conflict", explanation="in use"), "Docker reports an error: in use", False),
        (APIError("conflict"), "Docker reports an error: conflict", False),
        (DockerException("no socket"), "the Docker Engine does not answer", True),
        (requests.exceptions.ConnectionError("reset"), "the Docker Engine does not answer", True),
    ],
)
def test_the_errors_of_the_sdk_are_translated(raised: Exception, message: str, has_hint: bool) -> None:
    made, _ = engine(inspect_container=raised)
    with pytest.raises(EngineError) as caught:
        made.containers.inspect("1234")
    assert (caught.value.message, bool(caught.value.hint)) == (message, has_hint)


def test_other_errors_are_not_translated() -> None:
    made, _ = engine(inspect_container=struct.error("a fault"))
    with pytest.raises(struct.error):
        made.containers.inspect("1234")


def test_the_sockets_of_a_rootless_engines_container_are_read_on_this_host() -> None:
    with socket.create_server(("0.0.0.0", 0)) as anywhere, socket.create_server(("127.0.0.1", 0)) as inside:
        made, api = engine(inspect_container={"State": {"Pid": os.getpid()}})
        made.containers._client.__dict__["rootless"] = True  # type: ignore[attr-defined]
        here = Container("1", "app", "running", None, "", "", addresses=("192.0.2.1",))
        assert made.containers.accepts(here, anywhere.getsockname()[1]) is True
        assert made.containers.accepts(here, inside.getsockname()[1]) is False
        assert made.containers.accepts(here, 1) is False
        api.answers["inspect_container"] = {"State": {"Pid": 2**30}}
        assert made.containers.accepts(here, 1) is None
        api.answers["inspect_container"] = NotFound("gone")
        assert made.containers.accepts(here, 1) is False


def test_an_image_is_pulled_until_its_last_event() -> None:
    made, api = engine(pull=iter([{"status": "Pulling"}, {"status": "Downloaded"}]))
    made.images.pull("nginx")
    assert api.calls == [("pull", ("nginx",), {"stream": True, "decode": True})]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ([{"status": "Pulling"}, {"error": "manifest unknown"}], "manifest unknown"),
        (NotFound("pull access denied"), "pull access denied"),
        (requests.exceptions.ConnectionError(), "does not answer"),
    ],
)
def test_why_an_image_cannot_be_pulled_is_said(answer: Any, why: str) -> None:
    made, _ = engine(pull=answer)
    with pytest.raises(EngineError, match=f"the image nginx:9 cannot be pulled: .*{why}"):
        made.images.pull("nginx:9")


def test_a_pull_that_makes_no_progress_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "_STALLED", 0.05)
    over = threading.Event()

    def stalled() -> Iterator[dict[str, str]]:
        yield {"status": "Downloading"}
        over.wait(10)

    made, _ = engine(pull=stalled())
    with pytest.raises(EngineError, match="no progress for"):
        made.images.pull("nginx")
    over.set()
