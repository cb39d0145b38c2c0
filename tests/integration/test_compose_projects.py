"""Projects in the shapes that Compose allows, resolved by stackctl as plain ``docker compose`` resolves them.

The real Compose is asked; it needs no engine for that.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from stackctl.adapters.docker.binary import find_compose
from stackctl.adapters.docker.compose import Compose
from stackctl.errors import StackfileError
from stackctl.observed.containers import Deployment
from stackctl.stackfile.locate import ComposeFiles, locate
from stackctl.usecases.session import open_stack
from tests.unit.build import container
from tests.usecases.world import Notes, World, done

pytestmark = pytest.mark.slow

WEB = """\
services:
  web:
    image: "web:${TAG:-none}"
    volumes: ["./html:/html"]
    environment: {ONE: "${ONE:-}", TWO: "${TWO:-}"}
"""


@dataclass(frozen=True)
class Shape:
    """A project: its files, the environment, and the directory below which it is run."""

    files: Mapping[str, str]
    environ: Mapping[str, str] = field(default_factory=dict)


SHAPES = {
    "the usual": Shape({"docker-compose.yml": WEB, ".env": "TAG=1\n"}),
    "in a folder named in .env": Shape({".env": "COMPOSE_FILE=deploy/compose.yml\nTAG=1\n", "deploy/compose.yml": WEB}),
    "with variables in both folders": Shape(
        {
            ".env": "COMPOSE_FILE=deploy/compose.yml\nONE=top\n",
            "deploy/.env": "ONE=inner\nTWO=inner\nTAG=2\n",
            "deploy/compose.yml": WEB,
        }
    ),
    "named in the environment": Shape({"deploy/compose.yml": WEB}, {"COMPOSE_FILE": "deploy/compose.yml", "TAG": "7"}),
    "several files of several folders": Shape(
        {
            ".env": "COMPOSE_FILE=deploy/base.yml,other/prod.yml\nCOMPOSE_PATH_SEPARATOR=,\n",
            "deploy/base.yml": WEB,
            "other/prod.yml": "services:\n  web:\n    volumes: ['./more:/more']\n",
        }
    ),
    "an override of another name": Shape(
        {"docker-compose.yml": WEB, "compose.override.yaml": "services: {web: {command: [other]}}\n"}
    ),
    "two names and two overrides": Shape(
        {
            "docker-compose.yml": "services: {old: {image: old}}\n",
            "compose.yaml": WEB,
            "docker-compose.override.yml": "services: {web: {command: [no]}}\n",
            "compose.override.yml": "services: {web: {command: [yes]}}\n",
        }
    ),
    "a name in .env": Shape({"compose.yml": WEB, ".env": "COMPOSE_PROJECT_NAME=mine\n"}),
    "a name in the environment": Shape({"compose.yml": f"name: file\n{WEB}"}, {"COMPOSE_PROJECT_NAME": "mine"}),
    "a name in the file": Shape({"compose.yml": f"name: 'file-${{TAG:-x}}'\n{WEB}", ".env": "TAG=three\n"}),
    "profiles in .env": Shape(
        {"compose.yml": f"{WEB}  job: {{image: job, profiles: [jobs]}}\n", ".env": "COMPOSE_PROFILES=jobs\n"}
    ),
    "files of variables in the environment": Shape(
        {"compose.yml": WEB, ".env": "TAG=dot\n", "a.env": "TAG=a\nONE=a\n", "b.env": "TAG=b\n"},
        {"COMPOSE_ENV_FILES": "a.env,b.env"},
    ),
    "files named in a file of variables": Shape(
        {"deploy/c.yml": WEB, "a.env": "TAG=a\nCOMPOSE_FILE=deploy/c.yml\n", "deploy/.env": "TAG=no\n"},
        {"COMPOSE_ENV_FILES": "a.env"},
    ),
    "without .env": Shape({"compose.yml": WEB, ".env": "TAG=dot\n"}, {"COMPOSE_DISABLE_ENV_FILE": "1"}),
    "an include of another folder": Shape(
        {"compose.yml": "include: [part/compose.yml]\n", "part/compose.yml": WEB, "part/.env": "TAG=part\n"}
    ),
    "extends of another folder": Shape(
        {
            "compose.yml": "services:\n  web:\n    extends: {file: part/base.yml, service: web}\n",
            "part/base.yml": WEB,
        }
    ),
}


def made(root: Path, shape: Shape, monkeypatch: pytest.MonkeyPatch) -> ComposeFiles:
    for name in [name for name in os.environ if name.startswith("COMPOSE_")]:
        monkeypatch.delenv(name)
    for name, value in shape.environ.items():
        monkeypatch.setenv(name, value)
    for path, text in shape.files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return locate(root, os.environ)


def plain(root: Path, *arguments: str) -> str:
    """What ``docker compose`` prints, run in the directory as its user runs it."""
    done = subprocess.run([*find_compose(), *arguments], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def facts(resolved: dict[str, Any]) -> dict[str, tuple[str | None, list[str]]]:
    """The image and the mounts of each service."""
    return {
        name: (body.get("image"), [one["source"] for one in body.get("volumes", ()) if "source" in one])
        for name, body in resolved["services"].items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", SHAPES)
def test_a_project_is_what_compose_makes_of_it(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "stack"
    files = made(root, SHAPES[name], monkeypatch)
    project = Compose(files).resolve(files.main.read_text())
    wanted = json.loads(plain(root, "config", "--format", "json"))
    hashes = dict(line.split() for line in plain(root, "config", "--hash", "*").splitlines())
    assert project.name == wanted["name"]
    services = project.services.values()
    ours = {one.name: (one.image, [mount.source for mount in one.mounts if mount.source]) for one in services}
    assert ours == facts(wanted)
    assert {one.name: one.config_hash for one in services} == hashes


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SHAPES if "include" not in name and "extends" not in name])
def test_after_init_the_services_of_the_user_are_the_same(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "stack"
    made(root, SHAPES[name], monkeypatch)
    before = facts(json.loads(plain(root, "config", "--format", "json")))
    hashes = dict(line.split() for line in plain(root, "config", "--hash", "*").splitlines())
    world = World(root)
    world.fake.environ = dict(SHAPES[name].environ)
    world.fake.images |= {"web:${TAG:-none}": (), "job": ()}
    done(world.init())
    after = json.loads(plain(root, "config", "--format", "json"))
    assert {name: fact for name, fact in facts(after).items() if name in before} == before
    assert after["services"].keys() == before.keys() | {"nginx", "certbot"}
    now = dict(line.split() for line in plain(root, "config", "--hash", "*").splitlines())
    assert {service: digest for service, digest in now.items() if service in hashes} == hashes
    mounts = {one["target"]: one.get("source") for one in after["services"]["nginx"]["volumes"]}
    assert mounts["/etc/nginx"] == str(root / "nginx"), "plain 'docker compose up' mounts what stackctl writes"


def test_a_file_that_another_variable_names_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("# where\nDIR=deploy\nCOMPOSE_FILE=${DIR}/compose.yml\n")
    with pytest.raises(StackfileError) as refused:
        locate(tmp_path, {})
    assert str(refused.value) == ".env:3: COMPOSE_FILE refers to another variable"
    assert refused.value.hint == "write its value"


def test_a_linked_directory_keeps_the_path_that_the_shell_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    made(real, SHAPES["the usual"], monkeypatch)
    link.symlink_to(real)
    monkeypatch.chdir(link)
    monkeypatch.setenv("PWD", str(link))
    context = open_stack(Path(), report=Notes(), environ=os.environ)
    assert context.directory.root == link
    (mount,) = Compose(context.directory.files).resolve(WEB).services["web"].mounts
    assert (
        mount.source == str(link / "html") == facts(json.loads(plain(link, "config", "--format", "json")))["web"][1][0]
    )
    # A directory that the shell no longer shows right is not believed.
    monkeypatch.setenv("PWD", str(tmp_path))
    assert open_stack(Path(), report=Notes(), environ=os.environ).directory.root == real


TEXTS = (
    "app.${DOMAIN}",
    "${PORT:-3000}",
    "a$$b$${C}",
    "${EMPTY-none}",
    'ünï→😀 "\\ : # [x]',
    "$DOMAIN",
    "${A:-${DOMAIN}}",
    "",
)
INTERPOLATED = ("app.x.example", "3000", "a$b${C}", "none", 'ünï→😀 "\\ : # [x]', "x.example", "x.example", "")


@pytest.mark.parametrize(
    "text",
    [
        "services:\n  web:\n    image: web\n",
        "services:\n  web:\n    image: web",
        "\ufeff---\nservices:\r\n  web:\r\n    image: web\r\n...\n",
        '{"services": {"web": {"image": "web"}}}',
        "services: {web: {image: web}}\nx-stackctl-texts-of-mine: [1]\n# the end\n",
        "services:\n  web:\n    image: web\nx-note: |+\n  kept\n\n\n",
    ],
)
def test_texts_are_interpolated_in_the_same_call(text: str, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DOMAIN=x.example\n")
    (tmp_path / "docker-compose.yml").write_text(text, newline="")
    compose = Compose(locate(tmp_path, {}))
    project = compose.resolve(text, TEXTS)
    assert project.texts == INTERPOLATED
    assert replace(project, texts=()) == compose.resolve(text), "nothing else changes"


def test_a_required_variable_that_is_missing_is_composes_error(tmp_path: Path) -> None:
    with pytest.raises(StackfileError, match="set the domain"):
        Compose(locate(tmp_path, {})).resolve(WEB, ["${DOMAIN:?set the domain}"])


USING = """\
services:
  vpn: {image: vpn}
  data: {image: data, volumes: ["kept:/kept"]}
  net: {image: net, network_mode: "service:vpn"}
  both: {image: both, ipc: "service:vpn", pid: "service:net", volumes_from: ["data:ro", "container:other:rw", vpn]}
  later: {image: later, depends_on: {vpn: {condition: service_started, restart: true}}}
  plain: {image: plain, depends_on: [vpn]}
volumes: {kept: {}}
"""


def test_services_that_use_another_container_have_the_digest_of_its_id(tmp_path: Path) -> None:
    """As Compose labels them: its digest of a definition that has the id."""
    compose = Compose(locate(tmp_path, {}))
    project = compose.resolve(USING)
    rows = [container("vpn", number=2), container("vpn"), container("data"), container("net")]
    rows = [replace(one, id=f"{number:064x}", name=f"p-{one.service}-{one.id[-1]}") for number, one in enumerate(rows)]
    ids = {"vpn": rows[1].id, "data": rows[2].id, "net": rows[3].id}
    found = compose.attached(USING, project, Deployment(tuple(rows)))
    written = (
        USING.replace('network_mode: "service:vpn"', f'network_mode: "container:{ids["vpn"]}"')
        .replace('ipc: "service:vpn"', f'ipc: "container:{ids["vpn"]}"')
        .replace('pid: "service:net"', f'pid: "container:{ids["net"]}"')
        .replace('"data:ro", "container:other:rw", vpn', f'"{ids["data"]}", other, "{ids["vpn"]}"')
        .replace(
            "services:\n",
            f"services:\n  other: {{image: x}}\n  '{ids['data']}': {{image: x}}\n  '{ids['vpn']}': {{image: x}}\n",
        )
    )
    wanted = compose.resolve(written).services
    assert {name: one.config_hash for name, one in found.services.items()} == {
        name: wanted[name].config_hash for name in project.services
    }
    changed = {name for name, one in found.services.items() if one != project.services[name]}
    assert changed == {"net", "both"}
    assert {name: set(one.follows) for name, one in project.services.items() if one.follows} == {
        "net": {"vpn"},
        "both": {"vpn", "net", "data"},
        "later": {"vpn"},
    }
    assert compose.attached(USING, project, Deployment()) == project, "nothing runs yet"
