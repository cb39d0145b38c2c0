"""The contract of engines and wires: one suite, run against the fake and against Docker."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stackctl.adapters.docker.engine import docker_engine
from stackctl.adapters.fakes.engine import FakeEngine, fake_engine
from stackctl.adapters.net.wire import HostWire
from stackctl.engine.waiting import wait_for
from stackctl.errors import EngineError, StackfileError
from stackctl.model.endpoints import Endpoint, PortBinding
from stackctl.model.fields import Request
from stackctl.model.project import Project
from stackctl.model.values import Domain
from stackctl.observed.containers import Container, Deployment, Output
from stackctl.observed.ports import Engine
from stackctl.observed.reply import Failure
from stackctl.observed.wire import Wire
from stackctl.proxies.nginx.proxy import Nginx
from stackctl.stackfile.locate import locate

APP, NGINX, CERTBOT = "stackctl-lab/app:latest", "stackctl/nginx:1.30", "stackctl/certbot:5.5"
NOWHERE = "stackctl-lab/nowhere:none"
HTTP, HTTPS = PortBinding("127.0.0.40", 80), PortBinding("127.0.0.41", 443)

STACKFILE = f"""\
services:
  app:
    image: {APP}
    init: true
    stop_grace_period: 0s
    labels:
      stackctl.role: app
      note: hello
  job:
    image: {CERTBOT}
    entrypoint: ["sleep", "600"]
    init: true
    stop_grace_period: 0s
"""


@dataclass
class Stand:
    """One engine with its wire, in a separate directory."""

    root: Path
    engine: Engine
    wire: Wire

    def write(self, text: str) -> str:
        (self.root / "docker-compose.yml").write_text(text)
        return text

    def project(self, text: str = STACKFILE) -> Project:
        return self.engine.orchestrator.resolve(text)

    def containers(self) -> dict[str, Container]:
        found = self.engine.orchestrator.containers(self.project().name)
        assert len({container.service for container in found}) == len(found)
        return {container.service: container for container in found}

    def up(self, *services: str, text: str = STACKFILE) -> dict[str, Container]:
        self.write(text)
        self.engine.orchestrator.up(services)
        return self.containers()


def docker(root: Path) -> Iterator[Stand]:
    engine = docker_engine(locate(root, {}))
    try:
        yield Stand(root, engine, HostWire())
    finally:
        (root / "docker-compose.yml").write_text(STACKFILE)
        engine.orchestrator.down()


def fake(root: Path) -> Iterator[Stand]:
    state = FakeEngine(root, lambda: datetime(2026, 8, 1, tzinfo=UTC))
    state.images = {APP: (8000,), NGINX: (80, 443), CERTBOT: ()}
    yield Stand(root, fake_engine(state), state)


@pytest.fixture(params=[fake, pytest.param(docker, marks=pytest.mark.e2e)], ids=["fake", "docker"])
def stand(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stand]:
    make: Callable[[Path], Iterator[Stand]] = request.param
    root = tmp_path / f"stackctl-lab-{uuid.uuid4().hex[:8]}"
    root.mkdir()
    (root / "docker-compose.yml").write_text(STACKFILE)
    yield from make(root)


# Read-only


def test_engine_and_compose_report_their_versions(stand: Stand) -> None:
    told = stand.engine.orchestrator.version()
    for version in (told.version, told.api, stand.engine.orchestrator.compose_version()):
        assert re.match(r"\d+\.\d+", version)


def test_a_project_has_the_directorys_name_and_the_files_services(stand: Stand) -> None:
    project = stand.project()
    assert project.name == stand.root.name
    assert set(project.services) == {"app", "job"}
    app = project.services["app"]
    assert (app.name, app.image, app.builds, app.role) == ("app", APP, False, "app")
    assert app.labels == {"stackctl.role": "app", "note": "hello"}
    assert project.services["job"].role is None
    assert project.with_role("app") is app


def test_a_project_may_name_itself(stand: Stand) -> None:
    assert stand.project("name: stackctl-lab-named\n" + STACKFILE).name == "stackctl-lab-named"


def test_labels_may_be_a_list(stand: Stand) -> None:
    text = f"services:\n  a:\n    image: {APP}\n    labels:\n      - stackctl.role=proxy\n      - plain\n"
    assert stand.project(text).services["a"].labels == {"stackctl.role": "proxy", "plain": ""}


def test_only_ports_with_a_port_on_the_host_are_published(stand: Stand) -> None:
    text = (
        f"services:\n  a:\n    image: {APP}\n    ports:\n"
        '      - "80:8080"\n      - "127.0.0.40:443:8443"\n      - "9000"\n      - "[::1]:81:8081"\n'
    )
    ports = stand.project(text).services["a"].ports
    assert {(port.target, str(port.at)) for port in ports} == {
        (8080, "80"),
        (8443, "127.0.0.40:443"),
        (8081, "[::1]:81"),
    }


def test_ports_may_use_the_long_syntax(stand: Stand) -> None:
    text = (
        f"services:\n  a:\n    image: {APP}\n    ports:\n"
        '      - target: 8080\n        published: "80"\n        host_ip: 127.0.0.40\n'
        "      - target: 8081\n        published: 81\n        protocol: udp\n"
    )
    port, udp = stand.project(text).services["a"].ports
    assert (port.target, str(port.at), port.is_tcp) == (8080, "127.0.0.40:80", True)
    assert (udp.target, str(udp.at), udp.is_tcp) == (8081, "81", False)


@pytest.mark.parametrize(
    ("networks", "expected"),
    [
        ("", {"default"}),
        ("    networks:\n      - back\n", {"back"}),
        ("    networks:\n      default:\n      back:\n", {"default", "back"}),
        ("    network_mode: host\n", set()),
    ],
    ids=["default", "list", "mapping", "mode"],
)
def test_networks(stand: Stand, networks: str, expected: set[str]) -> None:
    text = f"services:\n  a:\n    image: {APP}\n{networks}networks:\n  back:\n"
    assert stand.project(text).services["a"].networks == expected


def test_a_service_with_a_build_is_reported_as_such(stand: Stand) -> None:
    service = stand.project("services:\n  a:\n    build: .\n").services["a"]
    assert (service.builds, service.image) == (True, None)


def test_a_service_of_a_profile_that_is_not_active_is_left_out(stand: Stand) -> None:
    text = STACKFILE + f"  extra:\n    image: {APP}\n    profiles: [debug]\n"
    assert "extra" not in stand.project(text).services


SAME = {
    "a comment": STACKFILE.replace("    init: true\n", "    init: true  # reap\n"),
    "the order of keys": STACKFILE.replace(
        f"    image: {APP}\n    init: true\n", f"    init: true\n    image: {APP}\n"
    ),
    "quotes": STACKFILE.replace(f"image: {APP}", f'image: "{APP}"'),
    "x-stackctl": STACKFILE.replace("    labels:", "    x-stackctl:\n      domains: [a.example.com]\n    labels:"),
    "another service": STACKFILE + f"  more:\n    image: {APP}\n",
    "depends_on": STACKFILE.replace("    labels:", "    depends_on: [job]\n    labels:"),
}
OTHER = {
    "image": STACKFILE.replace(APP, NGINX),
    "environment": STACKFILE.replace("    labels:", '    environment:\n      A: "1"\n    labels:'),
    "a label": STACKFILE.replace("note: hello", "note: bye"),
    "a port": STACKFILE.replace("    labels:", '    ports: ["127.0.0.42:80:8000"]\n    labels:'),
    "command": STACKFILE.replace("    labels:", "    command: [sleep, '9']\n    labels:"),
}


@pytest.mark.parametrize("change", SAME)
def test_a_service_keeps_its_hash_when_only_its_surroundings_change(stand: Stand, change: str) -> None:
    before, after = stand.project().services["app"], stand.project(SAME[change]).services["app"]
    assert after.config_hash == before.config_hash != ""


@pytest.mark.parametrize("change", OTHER)
def test_a_service_has_another_hash_when_its_definition_changes(stand: Stand, change: str) -> None:
    before, after = stand.project().services, stand.project(OTHER[change]).services
    assert after["app"].config_hash != before["app"].config_hash
    assert after["job"].config_hash == before["job"].config_hash


@pytest.mark.parametrize(
    "text",
    [
        "services:\n  a:\n    restart: always\n",
        f'services:\n  a:\n    image: {APP}\n    ports: ["x:y"]\n',
        f'services:\n  a:\n    image: {APP}\n    ports: ["80:99999"]\n',
        "services: [\n",
        f"services:\n  a:\n    image: {APP}\n    networks: [nowhere]\n",
    ],
    ids=["no image", "port", "port range", "yaml", "unknown network"],
)
def test_a_file_that_compose_rejects_is_an_error_of_the_file(stand: Stand, text: str) -> None:
    with pytest.raises(StackfileError) as refused:
        stand.project(text)
    assert (refused.value.where or "").startswith("docker-compose.yml")


def test_images(stand: Stand) -> None:
    image_id = stand.engine.images.image_id(APP)
    assert image_id is not None
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", image_id)
    assert stand.engine.images.image_id(APP) == image_id
    assert stand.engine.images.image_id(NOWHERE) is None
    assert stand.engine.images.exposed_ports(APP) == (8000,)
    assert stand.engine.images.exposed_ports(NGINX) == (80, 443)
    assert stand.engine.images.exposed_ports(CERTBOT) == ()
    assert stand.engine.images.exposed_ports(NOWHERE) == ()


def test_an_image_that_no_registry_has_cannot_be_pulled(stand: Stand) -> None:
    with pytest.raises(EngineError, match=NOWHERE) as refused:
        stand.engine.images.pull(NOWHERE)
    assert refused.value.hint


# Containers


def test_the_life_of_a_service(stand: Stand) -> None:
    engine, project = stand.engine, stand.project()
    assert engine.orchestrator.containers(project.name) == Deployment()

    first = stand.up("app")
    assert set(first) == {"app"}, "only the requested service"
    app = first["app"]
    assert (app.running, app.state, app.health, app.role) == (True, "running", None, "app")
    assert app.config_hash == project.services["app"].config_hash
    assert app.image_id == engine.images.image_id(APP)
    assert len(app.addresses) == 1
    assert app.directory == str(stand.root)

    assert stand.up("app") == first, "a second start changes nothing"

    changed = OTHER["environment"]
    second = stand.up("app", "job", text=changed)
    assert set(second) == {"app", "job"}
    assert second["app"].id != app.id
    assert second["app"].config_hash == stand.project(changed).services["app"].config_hash

    engine.orchestrator.remove([second["job"].id])
    assert set(stand.containers()) == {"app"}
    engine.orchestrator.remove([second["job"].id])  # gone already: no error
    engine.orchestrator.remove([container.id for container in stand.up("app", "job").values()])
    assert stand.containers() == {}

    engine.orchestrator.down()
    assert stand.containers() == {}
    engine.orchestrator.down()  # nothing is there: no error


def test_a_container_is_added_beside_one_of_an_earlier_definition(stand: Stand) -> None:
    orchestrator, name = stand.engine.orchestrator, stand.project().name
    old = stand.up("app")["app"]
    changed = OTHER["environment"]
    stand.write(changed)
    orchestrator.add("app", 2)
    orchestrator.add("app", 2)
    found = {one.id: one for one in orchestrator.containers(name)}
    assert len(found) == 2
    assert found.pop(old.id) == old, "the old one is untouched"
    (new,) = found.values()
    assert new.config_hash == stand.project(changed).services["app"].config_hash
    assert (new.running, new.label) == (True, f"{name}-app-2")
    assert new.addresses != old.addresses
    orchestrator.remove([old.id])
    orchestrator.up(["app"])
    assert [one.id for one in orchestrator.containers(name)] == [new.id], "'up' has nothing to change"
    with pytest.raises(EngineError):
        orchestrator.add("nobody", 1)


def test_a_command_in_a_one_off_container_of_a_service(stand: Stand) -> None:
    stand.write(STACKFILE)
    orchestrator = stand.engine.orchestrator
    assert orchestrator.run_one_off("app", ["echo", "-n", "hello"]).text.strip().endswith("hello")
    assert orchestrator.run_one_off("app", ["false"]).code == 1
    with pytest.raises(EngineError):
        orchestrator.run_one_off("app", ["no-such-program"])
    assert len(orchestrator.containers(stand.project().name)) == 0


def test_the_details_of_a_container(stand: Stand) -> None:
    app = stand.up("app")["app"]
    seen = stand.engine.containers.inspect(app.id)
    assert (seen.service, seen.state, seen.running, seen.health) == ("app", "running", True, None)
    assert (seen.restarts, seen.oom_killed) == (0, False)
    assert seen.name == f"{stand.project().name}-app-1"
    assert seen.networks == {f"{stand.project().name}_default": app.addresses[0]}
    assert seen.started is not None
    stand.engine.orchestrator.remove([app.id])
    with pytest.raises(EngineError):
        stand.engine.containers.inspect(app.id)


def test_a_request_to_a_closed_port_has_no_answer(stand: Stand) -> None:
    for at, tls in ((HTTP, False), (HTTPS, True)):
        reply = stand.wire.ask(at, Domain("a.example.com"), Request("GET", "/"), tls=tls)
        assert (reply.failure, reply.status, reply.certificate) == (Failure.CONNECT, None, None)


def test_a_service_that_is_not_in_the_file_cannot_be_started(stand: Stand) -> None:
    with pytest.raises(EngineError):
        stand.up("nobody")
    assert stand.containers() == {}


def test_a_service_without_an_available_image_cannot_be_started(stand: Stand) -> None:
    with pytest.raises(EngineError):
        stand.up("app", text=STACKFILE.replace(APP, NOWHERE))
    assert stand.containers() == {}


def test_commands_in_a_fresh_container(stand: Stand) -> None:
    assert stand.engine.sandbox.run_once(NGINX, ["echo", "hello", "you"]) == Output(0, "hello you\n")
    assert stand.engine.sandbox.run_once(NGINX, ["false"]) == Output(1, "")
    printed = stand.engine.sandbox.run_once(NGINX, Nginx().version_command())
    assert printed.code == 0
    assert re.search(r"nginx version: nginx/1\.30\.\d+\n", printed.text)
    assert Nginx().needed_for_streams(printed.text) is not None
    with pytest.raises(EngineError):
        stand.engine.sandbox.run_once(NOWHERE, ["echo"])
    with pytest.raises(EngineError):
        stand.engine.sandbox.run_once(NGINX, ["no-such-program"])


def test_commands_in_a_running_container(stand: Stand) -> None:
    job = stand.up("job")["job"]
    assert stand.engine.containers.execute(job.id, ["echo", "hello"]) == Output(0, "hello\n")
    assert stand.engine.containers.execute(job.id, ["false"]) == Output(1, "")
    lines = list(stand.engine.containers.stream("job", ["cat"], "one\ntwo\n\nthree"))
    assert lines == ["one", "two", "", "three"]
    with pytest.raises(EngineError):
        list(stand.engine.containers.stream("job", ["false"], ""))
    assert stand.engine.containers.log(job.id, 5) is not None
    stand.engine.orchestrator.remove([job.id])
    with pytest.raises(EngineError):
        stand.engine.containers.execute(job.id, ["echo"])
    with pytest.raises(EngineError):
        list(stand.engine.containers.stream("job", ["cat"], "x"))
    with pytest.raises(EngineError):
        stand.engine.containers.log(job.id, 5)


def test_files_of_a_container_that_runs_and_of_one_that_does_not(stand: Stand) -> None:
    job = stand.up("job")["job"]
    containers = stand.engine.containers
    assert containers.entries(job.id, "/no/such/path", 1 << 20) == {}
    with stand.engine.sandbox.unstarted(NGINX) as created:
        assert containers.entries(created, "/no/such/path", 1 << 20) == {}
    with pytest.raises(EngineError), stand.engine.sandbox.unstarted(NOWHERE):
        pass
    assert containers.processes(job.id) is not None
    with pytest.raises(EngineError):
        containers.entries("0" * 64, "/etc", 1 << 20)


def test_a_long_stream_is_written_and_read_concurrently(stand: Stand) -> None:
    stand.up("job")
    text = "".join(f"{number} {'x' * 200}\n" for number in range(5000))
    assert "\n".join(stand.engine.containers.stream("job", ["cat"], text)) + "\n" == text


def test_logs_are_prefixed_with_the_service_names(stand: Stand) -> None:
    text = STACKFILE.replace(
        'entrypoint: ["sleep", "600"]', 'entrypoint: ["sh", "-c", "echo job says hello; sleep 600"]'
    )
    job = stand.up("app", "job", text=text)["job"]

    def printed() -> list[str] | None:
        return list(stand.engine.orchestrator.follow(["job"], tail=5, follow=False)) or None

    assert wait_for(printed, 10) == ["job-1  | job says hello"]
    assert wait_for(lambda: stand.engine.containers.log(job.id, 5) or None, 10) == "job says hello"
    assert list(stand.engine.orchestrator.follow(["job"], tail=0, follow=False)) == []


def test_a_signal_goes_to_the_named_process_only(stand: Stand) -> None:
    (stand.root / "nginx/live").mkdir(parents=True)
    (stand.root / "nginx/live/nginx.conf").touch()  # the fake starts no proxy without one
    proxy = f"services:\n  nginx:\n    image: {NGINX}\n    labels:\n      stackctl.role: proxy\n"
    nginx = stand.up("nginx", text=proxy)["nginx"]
    processes = ("another program", "nginx: master process")
    # The process sets its title shortly after its start.
    assert wait_for(lambda: stand.engine.containers.signal(nginx.id, "HUP", processes) or None, 10)
    assert stand.engine.containers.signal(nginx.id, "KILL", ("another program",)) is False
    job = stand.up("job")["job"]
    assert stand.engine.containers.signal(job.id, "HUP", processes) is False
    assert stand.containers()["nginx"].running
    with pytest.raises(EngineError):
        stand.engine.containers.signal("0" * 64, "HUP", processes)


# The wire


def test_a_port_without_a_listener_has_no_owner(stand: Stand) -> None:
    names = [Domain("a.example.com"), Domain("b.example.com")]
    assert stand.wire.generation(HTTP) is None
    assert stand.wire.served(HTTPS, names) == dict.fromkeys(names)
    assert stand.wire.offered(HTTPS, names) == dict.fromkeys(names)
    assert stand.wire.served(HTTPS, []) == stand.wire.offered(HTTPS, []) == {}
    assert stand.wire.answers(Endpoint("127.0.0.42", 8000)) is False
    assert stand.wire.owner(HTTP) is None
    assert stand.engine.containers.publisher(HTTP) is None


def test_a_published_port_has_an_owner_and_a_publisher(stand: Stand) -> None:
    at = PortBinding("127.0.0.43", 8043)
    assert stand.wire.owner(at) is None
    stand.up("app", text=STACKFILE.replace("    labels:", f'    ports: ["{at}:8000"]\n    labels:'))
    assert stand.wire.owner(at)
    assert f"{stand.root.name}-app-1" in (stand.engine.containers.publisher(at) or "")
    assert stand.wire.owner(PortBinding("127.0.0.44", 8043)) is None
    assert stand.engine.containers.publisher(PortBinding("127.0.0.44", 8043)) is None
    stand.engine.orchestrator.down()
    assert wait_for(lambda: True if stand.wire.owner(at) is None else None, 5)


def test_a_service_answers_on_its_address_once_it_listens(stand: Stand) -> None:
    app = stand.up("app")["app"]
    (address,) = app.addresses
    assert wait_for(lambda: stand.engine.containers.accepts(app, 8000) or None, 15)
    assert stand.engine.containers.accepts(app, 8001) is False
    assert stand.wire.answers(Endpoint(address, 8000)) is True
    assert stand.wire.answers(Endpoint(address, 8001)) is False
    assert [stand.wire.refuses(Endpoint(address, port)) for port in (8000, 8001)] == [False, True]


def test_a_port_without_tls_serves_no_certificate(stand: Stand) -> None:
    at = PortBinding("127.0.0.45", 8045)
    stand.up("app", text=STACKFILE.replace("    labels:", f'    ports: ["{at}:8000"]\n    labels:'))
    names = [Domain("a.example.com")]
    assert stand.wire.served(at, names) == stand.wire.offered(at, names) == {"a.example.com": None}
    assert stand.wire.generation(at) is None
