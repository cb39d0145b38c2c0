"""Compose files in the shapes that public projects have, through init, add-app, plan and remove-app.

Each folder of ``tests/fixtures/compose_corpus`` is a project, named after its trait. The engine is the fake one, and
the real Compose resolves the files; it needs no engine for that.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from stackctl.adapters.docker.compose import Compose
from stackctl.errors import InputError, StackctlError
from stackctl.stackfile.document import Document
from stackctl.stackfile.locate import ComposeFiles
from stackctl.usecases.init import InitOptions
from stackctl.usecases.up_down import plan
from tests.usecases.world import OPTIONS, World, done

CORPUS = Path(__file__).resolve().parents[1] / "fixtures" / "compose_corpus"
NAMES = sorted(path.name for path in CORPUS.iterdir() if path.is_dir())
REFUSED = [name for name in NAMES if name.startswith("refused_")]
OWN = {"nginx", "certbot"}
DOMAIN = "corpus.example.com"


class AnyImage(dict[str, tuple[int, ...]]):
    """A registry that has every image."""

    def __contains__(self, image: object) -> bool:
        return isinstance(image, str)

    def __missing__(self, image: str) -> tuple[int, ...]:
        return ()


class Resolved(Compose):
    """The real Compose, which resolves each text once. Digests are those of the definitions that it resolves."""

    def __init__(self, files: ComposeFiles) -> None:
        super().__init__(files)
        self._printed: dict[tuple[str, ...], str] = {}

    def _config(self, stackfile: str, *options: str, profiles: bool = False, last: Sequence[str] = ()) -> str:
        if "--hash" in options:
            services = self.model(stackfile)["services"]
            digests = {name: hashlib.sha256(json.dumps(body).encode()).hexdigest() for name, body in services.items()}
            return "\n".join(f"{name} {digest}" for name, digest in digests.items())
        key = (stackfile, *options, str(profiles))
        if key not in self._printed:
            self._printed[key] = super()._config(stackfile, *options, profiles=profiles, last=last)
        return self._printed[key]

    def model(self, text: str) -> dict[str, Any]:
        """Everything that Compose prints for a text."""
        resolved: dict[str, Any] = json.loads(self._config(text, "--format", "json"))
        return resolved


class Case:
    """One project of the corpus in a directory of its own."""

    def __init__(self, name: str, root: Path) -> None:
        shutil.copytree(CORPUS / name, root)
        self.name = name
        self.world = World(root)
        self.world.fake.registry = AnyImage()
        self.compose = Resolved(self.world.fake.files)
        self.world.fake.resolve = self.compose.resolve  # type: ignore[method-assign]
        self.world.fake.service_names = self.compose.service_names  # type: ignore[method-assign]

    @property
    def text(self) -> str:
        path = self.world.file
        return path.read_bytes().decode() if path.exists() else ""

    def model(self) -> dict[str, Any]:
        """What Compose resolves the file on disk to."""
        return self.compose.model(self.text)

    def routable(self) -> list[str]:
        """The user's services that share a network with the proxy, and run."""
        project = self.compose.resolve(self.text)
        proxy = project.services["nginx"].networks
        return [
            name
            for name, one in sorted(project.services.items())
            if name not in OWN and one.networks & proxy and one.replicas
        ]


@pytest.fixture
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    return Case(request.param, tmp_path / "project")


def only_gained(before: str, after: str) -> bool:
    """Whether ``after`` is ``before`` with lines inserted; line endings count but for a missing last one."""
    ending = "\r\n" if "\r\n" in before else "\n"
    old, new = (f"{text}{'' if text.endswith(ending) else ending}".split("\n") for text in (before, after))
    return all(how in {"equal", "insert"} for how, *_ in difflib.SequenceMatcher(None, old, new, False).get_opcodes())


def replicas(body: dict[str, Any]) -> int:
    return int(body.get("scale", body.get("deploy", {}).get("replicas", 1)))


def options_of(case: Case) -> InitOptions:
    return InitOptions(agree_tos=True) if case.name.startswith("settings") else OPTIONS


@pytest.mark.slow
@pytest.mark.parametrize("case", [name for name in NAMES if name not in REFUSED], indirect=True)
def test_a_project_keeps_every_byte_and_every_service(case: Case) -> None:
    world, before = case.world, case.text
    try:
        original = case.model()
    except StackctlError:
        original = {"services": {}}  # nothing is in it yet
    tree = world.tree()
    assert world.init(options_of(case), dry_run=True).plan
    assert world.tree() == tree
    done(world.init(options_of(case)))
    ready, models = case.text, case.model()
    assert only_gained(before, ready)
    assert models["services"].keys() - original["services"].keys() == OWN
    assert {name: models["services"][name] for name in original["services"]} == original["services"]
    assert models["name"] == original.get("name", models["name"])
    assert not world.init(InitOptions()).plan

    for service in case.routable()[:3]:
        with_site(case, ready, models, service=service, port=8000)
    with_site(case, ready, models, image="new:latest", port=8000)
    if case.name != "settings_in_flow_style":
        with_site(case, ready, models, upstream="10.0.0.1:80")
    assert not world.up().plan


def with_site(case: Case, ready: str, models: dict[str, Any], **wanted: Any) -> None:
    """Add a site and remove it: every byte is as before, and every service meanwhile."""
    world, tree = case.world, case.world.tree()
    assert world.add(DOMAIN, dry_run=True, **wanted).plan
    assert world.tree() == tree
    done(world.add(DOMAIN, **wanted))
    now = case.model()
    new = now["services"].keys() - models["services"].keys()
    assert new == ({"corpus"} if "image" in wanted else set()), wanted
    assert {name: now["services"][name] for name in models["services"]} == models["services"]
    assert only_gained(ready, case.text)
    assert not plan(world.host).plan
    tree = world.tree()
    assert world.remove(DOMAIN, dry_run=True).plan
    assert world.tree() == tree
    done(world.remove(DOMAIN))
    assert case.text == ready, wanted
    running = {run.service.name for run in world.fake.runs.values()}
    assert running == {name for name, body in models["services"].items() if replicas(body)}, "nothing was stopped"
    assert not plan(world.host).plan


@pytest.mark.slow
@pytest.mark.parametrize("case", REFUSED, indirect=True)
def test_a_project_that_is_refused_keeps_every_byte(case: Case) -> None:
    tree = case.world.tree()
    with pytest.raises(StackctlError) as refused:
        case.world.init()
    assert (refused.value.where or "").startswith("docker-compose.yml")
    assert refused.value.hint
    assert case.world.tree() == tree


@pytest.mark.slow
@pytest.mark.parametrize("case", ["settings_in_flow_style"], indirect=True)
def test_settings_in_braces_take_no_route_and_are_named(case: Case) -> None:
    done(case.world.init(options_of(case)))
    tree = case.world.tree()
    with pytest.raises(StackctlError) as refused:
        case.world.add(DOMAIN, upstream="10.0.0.1:80")
    assert refused.value.where == "docker-compose.yml:1"
    assert refused.value.hint == "write it as an indented block"
    assert case.world.tree() == tree
    with_site(case, case.text, case.model(), service="web", port=8000)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "service", "reason"),
    [
        ("anchor_on_a_service", "web", "docker-compose.yml:3: services.web is an alias of another block"),
        ("alias_of_a_service", "green", "services.green is an alias of another block"),
        ("flow_service", "db", "docker-compose.yml:4: services.db is in flow style"),
        ("services_by_merge", "cache", "services.cache is merged from another block"),
        ("include", "cache", "the service cache is defined in another file"),
        ("only_includes", "web", "the service web is defined in another file"),
        ("override", "mail", "the service mail is defined in another file"),
    ],
    indirect=["case"],
)
def test_a_route_that_its_service_cannot_take_is_written_at_the_top(case: Case, service: str, reason: str) -> None:
    world = case.world
    done(world.init())
    containers = {run.service.name: number for number, run in world.fake.runs.items()}
    done(world.add(DOMAIN, service=service, port=8000))
    (note,) = [note for note in world.report.notes if "x-stackctl.apps" in note]
    assert reason in note
    assert note.endswith(": its route is written to x-stackctl.apps")
    assert Document.parse(case.text, "f").data(("x-stackctl", "apps")) == [
        {"domains": [DOMAIN], "service": service, "port": 8000}
    ]
    assert world.rows()[DOMAIN]["health"] == "running"
    assert "wrong" not in world.doctor()[DOMAIN].values()
    assert not world.add(DOMAIN, service=service, port=8000).plan
    done(world.remove(DOMAIN))
    now = {run.service.name: number for number, run in world.fake.runs.items()}
    assert now == containers, "the service is the user's: it is neither stopped nor made anew"


@pytest.mark.slow
@pytest.mark.parametrize("case", ["profiles_elsewhere"], indirect=True)
def test_a_service_of_another_file_whose_profile_is_not_active_is_not_a_new_one(case: Case) -> None:
    done(case.world.init())
    done(case.world.add(DOMAIN, service="admin", port=8000))
    assert "admin" not in case.model()["services"]
    assert "image" not in case.text[case.text.index(DOMAIN) :].split("services:")[0]
    assert not plan(case.world.host).plan
    done(case.world.remove(DOMAIN))
    with pytest.raises(InputError, match="already exists"):
        case.world.add(DOMAIN, service="admin", image="other:1", port=8000)
