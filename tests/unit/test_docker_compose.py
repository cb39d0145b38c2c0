"""Reads what Compose printed as a project, and calls a program in the place of Compose."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from stackctl.adapters.docker import compose
from stackctl.adapters.docker.compose import Compose
from stackctl.adapters.docker.exposed import exposed_ports
from stackctl.adapters.docker.services import resolved_service
from stackctl.errors import EngineError, StackfileError
from stackctl.model.endpoints import PortBinding
from stackctl.model.project import Mount, Project, PublishedPort, Service
from stackctl.model.streams import Transport
from stackctl.model.values import ServiceName
from stackctl.observed.ports import CommandKilled
from stackctl.stackfile.locate import ComposeFiles, locate
from tests.unit.recorded import compose_output


def resolved(name: str, monkeypatch: pytest.MonkeyPatch) -> Project:
    def answer(_self: Compose, stackfile: str, *options: str, **_: object) -> str:
        assert stackfile == "the text"
        return compose_output(name, {"--format": "json", "--hash": "hashes"}[options[0]])

    monkeypatch.setattr(Compose, "_config", answer)
    return Compose(locate(Path("/srv/nowhere"), {})).resolve("the text")


def digest(name: str, service: str) -> str:
    return dict(line.split() for line in compose_output(name, "hashes").splitlines())[service]


@pytest.mark.parametrize(
    ("text", "is_read"),
    [
        ("services: {app: {env_file: app.env}}", True),
        ("include: [other.yml]", True),
        ("services: {app: {extends: {file: other.yml, service: app}}}", True),
        ("services: {app: {environment: {A: b}}}", False),
    ],
)
def test_a_digest_is_of_the_environment_that_files_contain(
    text: str, is_read: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """'config --hash' of Compose 2 does not read them, though 'up' does."""
    model = {"name": "p", "services": {"app": {"environment": {"A": "b$$c", "B": None}}, "other": {}}}
    documents: list[str] = []

    def answer(_self: Compose, _text: str, *options: str, last: Sequence[str] = (), **_: object) -> str:
        documents.extend(Path(file).read_text() for file in last)
        return json.dumps(model) if "json" in options else "app 1\nother 2\n"

    monkeypatch.setattr(Compose, "_config", answer)
    project = Compose(locate(Path("/srv/nowhere"), {})).resolve(text)
    assert project.services["app"].config_hash == "1"
    wanted = 'services:\n  "app": {env_file: !reset null, environment: {"A": "b$$c", "B": null}}\n'
    assert documents == [wanted] * is_read


def test_short_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    project = resolved("short", monkeypatch)
    assert project.name == "shop"
    assert project.services["nginx"] == Service(
        name=ServiceName("nginx"),
        image="nginx:1.30",
        builds=False,
        config_hash=digest("short", "nginx"),
        labels={"stackctl.role": "proxy"},
        publishes=True,
        ports=(
            PublishedPort(80, PortBinding(None, 80)),
            PublishedPort(443, PortBinding("127.0.0.1", 8443)),
            PublishedPort(443, PortBinding("::1", 8443)),
            PublishedPort(443, PortBinding(None, 443), Transport.UDP),
        ),
        networks=frozenset({"default"}),
        mounts=(
            Mount("bind", "/srv/short/nginx", "/etc/nginx", read_only=True),
            Mount("volume", "shop_certs", "/etc/letsencrypt"),
        ),
        exposed=(80, 443, 9000),
    )
    assert project.services["nginx"].role == "proxy"
    assert project.services["web"] == Service(
        name=ServiceName("web"),
        image=None,
        builds=True,
        config_hash=digest("short", "web"),
        networks=frozenset({"default"}),
        environment={"PORT": "8000", "EMPTY": ""},
        needs=frozenset({"db"}),
    )
    assert (project.services["db"].replicas, project.services["db"].mounts) == (0, ())


def test_long_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    project = resolved("long", monkeypatch)
    assert project.services["app"] == Service(
        name=ServiceName("app"),
        image="ghcr.io/acme/app@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        builds=False,
        config_hash=digest("long", "app"),
        labels={"stackctl.role": "app"},
        # A range of ports is left out: Docker chooses one of it.
        publishes=True,
        ports=(PublishedPort(8080, PortBinding("0.0.0.0", 18080)),),
        networks=frozenset({"front", "back"}),
        replicas=3,
        counted=True,
        environment={"DEBUG": "1", "WORKERS": "4"},
        mounts=(
            Mount("volume", "acme-data", "/var/lib/app", read_only=True),
            Mount("bind", "/srv/static", "/static"),
            Mount("volume", "", "/anonymous"),
        ),
        hosts=frozenset({"app", "shop", "api.internal"}),
        exposed=(5000, 8080),
    )
    assert project.services["db"].hosts == {"acme-db"}
    assert (project.services["net"].networks, project.services["net"].replicas) == (frozenset(), 1)


def test_an_override_variables_and_profiles(monkeypatch: pytest.MonkeyPatch) -> None:
    project = resolved("override", monkeypatch)
    assert project.name == "blog"
    assert project.services.keys() == {"blog", "worker"}, "the profile of 'job' is not active"
    assert project.services["blog"] == Service(
        name=ServiceName("blog"),
        image="ghost:5",
        builds=False,
        config_hash=digest("override", "blog"),
        labels={"team": "press", "plain": ""},
        publishes=True,
        ports=(PublishedPort(2368, PortBinding(None, 2368)),),
        networks=frozenset({"inner"}),
        environment={"LEVEL": "debug"},
        exposed=(2368,),
        extra_hosts=(("db", "10.0.0.5"),),
    )


def test_a_service_whose_hash_is_not_printed_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    printed = {"--format": compose_output("short", "json"), "--hash": "web 1234\n\n"}
    monkeypatch.setattr(Compose, "_config", lambda _self, _text, *options, **_: printed[options[0]])
    services = Compose(locate(Path("/srv/nowhere"), {})).resolve("").services
    assert {name: service.config_hash for name, service in services.items()} == {"nginx": "", "web": "1234", "db": ""}


WARNING = 'time="2026-11-26T18:18:39Z" level=warning msg="The \\"NONE\\" variable is not set. Defaulting to a blank."\n'


@pytest.mark.parametrize(
    ("stderr", "words"),
    [
        (
            'service "a" has neither an image nor a build context specified: invalid compose project\n',
            'service "a" has neither an image nor a build context specified: invalid compose project',
        ),
        (
            f'{WARNING}service "a" refers to undefined network nope: invalid compose project\n',
            'service "a" refers to undefined network nope: invalid compose project',
        ),
        (
            "go-yaml load error in parser (while parsing a flow node) at L3.C1: did not find expected node content\n",
            "go-yaml load error in parser (while parsing a flow node) at L3.C1: did not find expected node content",
        ),
        (f"validating -: services.a.imge false schema\n\n{WARNING}", "validating -: services.a.imge false schema"),
        (" Container stack-one-1  Error\nError response: port is taken\n", "Error response: port is taken"),
    ],
)
def test_the_last_thing_that_is_no_warning_is_the_error_of_compose(stderr: str, words: str) -> None:
    assert compose._last_error(stderr) == words


@pytest.mark.parametrize("stderr", ["", "\n", WARNING])
def test_an_exit_without_an_error_message_has_a_message(stderr: str) -> None:
    assert compose._last_error(stderr) == compose._last_error("") != ""


class Program:
    """A stack directory with an override, and a shell script in the place of Compose."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = ComposeFiles(root, root / "docker-compose.yml", (root / "docker-compose.override.yml",))
        self.compose = Compose(self.files)
        self.script = root / "compose"
        self.compose.__dict__["_program"] = [str(self.script)]

    def answers(self, script: str) -> Compose:
        self.script.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {self.root}/arguments\n{script}\n')
        self.script.chmod(0o755)
        return self.compose

    @property
    def arguments(self) -> list[str]:
        return (self.root / "arguments").read_text().splitlines()

    def called(self, main: str, *arguments: str) -> list[str]:
        override = str(self.root / "docker-compose.override.yml")
        return ["--project-directory", str(self.root), "-f", main, "-f", override, *arguments]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


def test_a_file_is_resolved_from_its_text_below_its_overrides(program: Program) -> None:
    called = program.answers("cat > text; echo '{}'")._config("services: {}\n", "--format", "json")
    assert called == "{}\n"
    assert (program.root / "text").read_text() == "services: {}\n"
    assert program.arguments == program.called("-", "config", "--format", "json")


def test_a_file_that_compose_refuses_is_a_stackfile_error(program: Program) -> None:
    called = program.answers("echo 'service \"a\" has no image' >&2; exit 15")
    with pytest.raises(StackfileError, match='Compose rejects the file: service "a" has no image') as refused:
        called.resolve("services: {a: {}}\n")
    assert refused.value.where == "docker-compose.yml"


def test_a_command_is_run_on_the_files_on_disk(program: Program) -> None:
    program.answers("exit 0").run("up", "--detach", "one")
    main = str(program.root / "docker-compose.yml")
    assert program.arguments == program.called(main, "--progress", "quiet", "up", "--detach", "one")


def test_a_command_that_fails_ends_with_composes_last_words(program: Program) -> None:
    with pytest.raises(EngineError, match="does not exist") as failed:
        program.answers("echo pulling >&2; echo 'does not exist: x' >&2; exit 1").run("up", "one")
    assert failed.value.where == "docker compose up"


def test_lines_come_one_by_one_and_the_input_is_passed_on(program: Program) -> None:
    called = program.answers('echo first; read line; echo "got $line"')
    assert list(called.lines(["exec", "certbot"], "a line\n")) == ["first", "got a line"]
    assert program.arguments[-2:] == ["exec", "certbot"]


def test_without_input_a_command_reads_an_empty_one(program: Program) -> None:
    assert list(program.answers("wc -c").lines(["logs"])) == ["0"]


def test_a_command_that_reads_none_of_its_input_is_judged_by_its_exit_code(program: Program) -> None:
    much = "x" * 2_000_000
    assert list(program.answers("echo done").lines(["exec"], much)) == ["done"]
    with pytest.raises(EngineError, match="not running"):
        list(program.answers("echo 'service is not running' >&2; exit 1").lines(["exec"], much))


@pytest.mark.parametrize("code", [137, 143])
def test_a_command_in_a_container_that_was_killed_has_an_error_of_its_own(program: Program, code: int) -> None:
    lines = program.answers(f"echo first; exit {code}").lines(["exec", "certbot"], "")
    assert next(lines) == "first"
    with pytest.raises(CommandKilled, match=str(code)):
        next(lines)


def test_the_command_ends_when_its_output_is_no_longer_read(program: Program) -> None:
    lines = program.answers("echo $$; exec tail -f /dev/null").lines(["logs"])
    pid = int(next(lines))
    assert psutil.pid_exists(pid)
    lines.close()  # type: ignore[attr-defined]  # a generator, by its interface an iterator
    assert not psutil.pid_exists(pid)


@pytest.mark.parametrize(("script", "version"), [("echo 5.6.1", "5.6.1"), ("exit 1", "of an unknown version")])
def test_its_version_is_what_it_prints(program: Program, script: str, version: str) -> None:
    assert program.answers(script).version() == version


@pytest.mark.parametrize(
    ("body", "ports"),
    [
        ({}, ()),
        ({"expose": ["3000"]}, (3000,)),
        ({"expose": ["3000/tcp", "53/udp"]}, (3000,)),
        ({"expose": ["3000-3002"]}, (3000, 3001, 3002)),
        ({"expose": ["3000"], "ports": [{"target": 3000, "published": "8080", "protocol": "tcp"}]}, (3000,)),
        ({"ports": [{"target": 53, "protocol": "udp"}, {"target": 8080}]}, (8080,)),
        ({"expose": None, "ports": None}, ()),
    ],
    ids=str,
)
def test_the_exposed_ports_are_those_of_the_resolved_service(body: dict[str, object], ports: tuple[int, ...]) -> None:
    assert exposed_ports(body) == ports


def test_the_proxys_test_has_every_mount_and_host_of_its_service(monkeypatch: pytest.MonkeyPatch) -> None:
    body = {
        "image": "nginx",
        "user": "101:101",
        "networks": {"default": None, "edge": {"ipv4_address": "10.9.0.2", "ipv6_address": "fd00::2"}},
        "extra_hosts": ["host.docker.internal=host-gateway", "six:[::1]"],
        "secrets": [{"source": "ca"}, {"source": "key", "target": "/etc/keys/key"}, {"source": "inline"}],
        "configs": [{"source": "map", "target": "/etc/nginx/own.map"}],
        "volumes": [{"type": "volume", "source": "geo", "target": "/geo"}, {"type": "tmpfs", "target": "/run"}],
    }
    model = {
        "name": "shop",
        "services": {"nginx": body},
        "volumes": {"geo": {"name": "elsewhere"}},
        "secrets": {"ca": {"file": "/srv/ca.pem"}, "key": {"file": "/srv/key"}, "inline": {"environment": "X"}},
        "configs": {"map": {"file": "/srv/own.map"}},
    }
    monkeypatch.setattr(Compose, "_config", lambda _self, _text, *options, **_: json.dumps(model) * ("json" in options))
    nginx = Compose(locate(Path("/srv/nowhere"), {})).resolve("").services["nginx"]
    assert nginx.extra_hosts == (("host.docker.internal", "host-gateway"), ("six", "::1"))
    assert nginx.user == "101:101"
    assert nginx.addresses == {"10.9.0.2", "fd00::2"}
    assert [(mount.kind, mount.source, mount.target) for mount in nginx.mounts] == [
        ("volume", "elsewhere", "/geo"),
        ("bind", "/srv/ca.pem", "/run/secrets/ca"),
        ("bind", "/srv/key", "/etc/keys/key"),
        ("bind", "/srv/own.map", "/etc/nginx/own.map"),
    ]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, (None, False, None, 1, 1)),
        ({"container_name": "shop"}, ("shop", False, None, 1, 1)),
        ({"ports": [{"target": 53, "published": "53", "protocol": "udp"}]}, (None, True, None, 1, 1)),
        ({"ports": [{"target": 80, "published": "8000-8001"}]}, (None, True, None, 1, 1)),
        ({"ports": [{"target": 80}]}, (None, False, None, 1, 1)),
        (
            {"deploy": {"replicas": 3, "update_config": {"parallelism": 0, "order": "start-first"}}},
            (None, False, "start-first", 0, 3),
        ),
        ({"deploy": None}, (None, False, None, 1, 1)),
        ({"deploy": {"update_config": None}}, (None, False, None, 1, 1)),
    ],
)
def test_what_a_deploy_needs_of_a_service(body: dict[str, Any], expected: tuple[Any, ...]) -> None:
    found = resolved_service("shop", body, "h1", {})
    shown = (found.container_name, found.publishes, found.order, found.parallelism, found.replicas)
    assert shown == expected


def test_a_service_needs_those_that_it_depends_on() -> None:
    found = resolved_service("shop", {"depends_on": {"db": {"condition": "service_started"}}}, "h1", {})
    assert found.needs == {"db"}
