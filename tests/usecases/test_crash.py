"""The process ends at every place a command has; the same command once more must finish the job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from stackctl.adapters.fakes.faults import Killed
from stackctl.plan.operation import Operation
from stackctl.proxies.nginx.proxy import Nginx
from stackctl.stackfile.canaries import Share
from stackctl.stackfile.document import Document
from stackctl.usecases.canary import abort, promote, start_canary
from stackctl.usecases.deploy import DeployOptions
from stackctl.usecases.result import Result
from tests.usecases.test_init import SHOP
from tests.usecases.world import Notes, World, done

pytestmark = pytest.mark.slow

FOREIGN = "\n  two:\n    image: two:latest\n"


@dataclass
class Fuse(Notes):
    """Ends the process when the operation of a number begins, or has ended."""

    begins_at: int | None = None
    ends_at: int | None = None
    begun: int = 0
    finished: int = 0

    def __post_init__(self) -> None:
        self.notes, self.ended = [], []

    def begin(self, operation: Operation) -> None:
        if self.begun == self.begins_at:
            raise Killed(operation.text)
        self.begun += 1

    def end(self, operation: Operation, error: str | None) -> None:
        assert error is None, f"{operation.text}: {error}"
        if self.finished == self.ends_at:
            raise Killed(operation.text)
        self.finished += 1


@dataclass(frozen=True)
class Scenario:
    prepare: Callable[[World], object]
    command: Callable[[World], Result[object]]
    gone: frozenset[str] = frozenset()
    again: Callable[[World], Result[object]] | None = None
    """What finishes it, if not the same command."""


def empty(_world: World) -> None:
    pass


def shop(world: World) -> None:
    (world.root / "compose.yaml").write_text(SHOP)


def two_sites(world: World) -> None:
    done(world.init())
    done(world.add("one.example.com"))
    done(world.add("three.example.com", "www.example.com"))


def foreign_service(world: World) -> None:
    two_sites(world)
    world.file.write_text(world.text + FOREIGN)
    done(world.up())


def foreign_site(world: World) -> None:
    foreign_service(world)
    done(world.add("two.example.com"))


def shared_service(world: World) -> None:
    two_sites(world)
    done(world.add("shop.example.com", service="one"))


def due(world: World) -> None:
    two_sites(world)
    world.clock.now += timedelta(days=70)


def edited(world: World, *, prepared: bool = False) -> None:
    if not prepared:
        two_sites(world)
    world.edit("- www.example.com\n", "- www.example.com\n        - web.example.com\n")
    world.edit('image: "one:latest"\n', 'image: "one:latest"\n    environment:\n      A: "1"\n')
    world.custom("one.example.com.conf", "add_header X-One 1;\n")


def one_more(world: World) -> None:
    two_sites(world)
    world.custom("one.example.com.conf", "add_header X-One 1;\n")
    done(world.up())
    done(world.add("two.example.com"))


def one_less(world: World) -> None:
    one_more(world)
    done(world.remove("two.example.com", delete_cert=True))


def much_changed(world: World) -> None:
    two_sites(world)
    world.custom("one.example.com.conf", "add_header X-One 1;\n")
    world.custom("http.conf", "# of all\n")
    done(world.up())
    edited(world, prepared=True)
    (world.root / "nginx/custom/http.conf").unlink()
    world.custom("three.example.com.conf", "add_header X-Three 3;\n")
    done(world.up())


def edited_and_not_applied(world: World) -> None:
    one_more(world)
    world.edit("- www.example.com\n", "- www.example.com\n        - web.example.com\n")
    world.custom("http.conf", "# of all\n")


def newer_image(world: World) -> None:
    shared_service(world)
    world.fake.images["one:2"] = (8000,)
    world.edit('image: "one:latest"\n', 'image: "one:2"\n')


def replicas_with_a_newer_port(world: World) -> None:
    two_sites(world)
    world.edit('image: "one:latest"\n', 'image: "one:latest"\n    deploy: {replicas: 2}\n')
    done(world.up())
    world.fake.add("one", 2)
    world.fake.images["one:2"] = (9000,)
    world.edit('image: "one:latest"\n', 'image: "one:2"\n')
    world.edit("- one.example.com\n      port: 8000\n", "- one.example.com\n      port: 9000\n")


def newer_image_alone(world: World) -> None:
    two_sites(world)
    world.edit('image: "one:latest"\n', 'image: "one:latest"\n    container_name: one\n')
    done(world.up())
    world.fake.images["one:2"] = (8000,)
    world.edit('image: "one:latest"\n', 'image: "one:2"\n')


def deployed(world: World) -> None:
    newer_image(world)
    done(world.up())


def newer_image_in_the_registry(world: World) -> None:
    shared_service(world)
    world.fake.registry["one:2"] = world.fake.images["one:2"] = (8000,)


def canary_on(world: World) -> None:
    newer_image_in_the_registry(world)
    done(begin_canary(world))


def begin_canary(world: World) -> Result[None]:
    options = DeployOptions(image="one:2")
    return start_canary(world.host, "one", Share(10), options, dry_run=world.dry_run)


def end_canary(end: Callable[..., Result[None]]) -> Callable[[World], Result[object]]:
    return lambda world: end(world.host, "one", DeployOptions(), dry_run=world.dry_run)


def finish_canary(world: World) -> Result[object]:
    """Killed before the file was written, the same command is needed; afterwards 'up' is enough."""
    return world.up() if "one-canary" in world.text else begin_canary(world)


def finish(end: Callable[..., Result[None]]) -> Callable[[World], Result[object]]:
    return lambda world: end_canary(end)(world) if "one-canary" in world.text else world.up()


LOOKS = ("image_id", "exposed_ports", "resolve", "publisher")
ACTS = ("up ", "execute", "remove ", "issue")

ONE, TWO = frozenset({"one.example.com"}), frozenset({"two.example.com"})
THREE = frozenset({"three.example.com", "www.example.com"})
SCENARIOS = {
    "init": Scenario(empty, World.init),
    "init beside a file": Scenario(shop, World.init),
    "add-app": Scenario(two_sites, lambda world: world.add("two.example.com", "shop.example.com")),
    "add-app of a service": Scenario(foreign_service, lambda world: world.add("two.example.com")),
    "add-app --upstream": Scenario(two_sites, lambda world: world.add("out.example.com", upstream="10.0.0.5:80")),
    "remove-app": Scenario(two_sites, lambda world: world.remove("one.example.com"), ONE),
    "remove-app of a service": Scenario(foreign_site, lambda world: world.remove("two.example.com"), TWO),
    "remove-app of a shared service": Scenario(shared_service, lambda world: world.remove("one.example.com"), ONE),
    "remove-app --delete-cert": Scenario(
        two_sites, lambda world: world.remove("one.example.com", delete_cert=True), ONE
    ),
    "remove-app --keep-service": Scenario(
        two_sites, lambda world: world.remove("one.example.com", keep_service=True), ONE
    ),
    "renew": Scenario(due, World.renew),
    "renew --force": Scenario(two_sites, lambda world: world.renew("one.example.com")),
    "up after an edit": Scenario(edited, World.up),
    "up with a newer image": Scenario(newer_image, World.up),
    "up with a newer image that stops first": Scenario(newer_image_alone, World.up),
    "up with replicas that have another port": Scenario(replicas_with_a_newer_port, World.up),
    "deploy --canary": Scenario(newer_image_in_the_registry, begin_canary, again=finish_canary),
    "promote": Scenario(canary_on, end_canary(promote), again=finish(promote)),
    "abort": Scenario(canary_on, end_canary(abort), again=finish(abort)),
    "rollback of a deploy": Scenario(deployed, World.rollback),
    "rollback of add-app": Scenario(one_more, World.rollback, TWO),
    "rollback of remove-app": Scenario(one_less, World.rollback),
    "rollback of an edit": Scenario(much_changed, World.rollback, frozenset({"web.example.com"})),
    "rollback of what was not applied": Scenario(edited_and_not_applied, World.rollback),
    "rollback by number": Scenario(one_less, lambda world: world.rollback(2), THREE),
}
QUICK = {"add-app --upstream", "remove-app", "up with a newer image"}
"""One that adds, one that removes and one that deploys, for every change; all of them take half a minute."""


def state(world: World) -> dict[str, Any]:
    """What a command is for: all that must be the same however often it was interrupted."""
    directory = world.host.directory
    lineages = directory.lineages()
    on_disk = {lineage.certificate.fingerprint for lineage in lineages.values() if lineage.certificate}
    return {
        "stackfile": world.text,
        "custom": directory.custom(Nginx.layout),
        "live": world.live(),
        "lineages": {name: one.certificate and one.certificate.names for name, one in lineages.items()},
        "containers": sorted(
            (run.service.name, run.container.state, run.container.config_hash) for run in world.fake.runs.values()
        ),
        "taken up": world.fake.loaded_generation == world.published(),
        "served": {name: shown.fingerprint in on_disk for name, shown in sorted(world.fake.loaded.items())},
    }


def check_meanwhile(world: World, before: set[str], texts: set[str]) -> None:
    """Right after the crash: everybody else is served, and everything would start again."""
    missing = before - set(world.fake.loaded)
    assert not missing, f"no longer served: {missing}"
    if (world.root / "nginx/live").exists():
        tested = world.fake.proxy_test("live")
        assert tested.code == 0, tested.text
    if world.file.exists():
        assert world.text in texts, "the file is the old one or the new one, whole"
        Document.parse(world.text, world.file.name)


Prepared = Callable[[Scenario, Path], World]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Return a copy of what a scenario starts from; several start from the same."""
    made: dict[Callable[[World], object], World] = {}

    def copied(scenario: Scenario, root: Path) -> World:
        if scenario.prepare not in made:
            world = made[scenario.prepare] = World(tmp_path_factory.mktemp("prepared") / "stack")
            scenario.prepare(world)
        return made[scenario.prepare].template(root)

    return copied


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in SCENARIOS]
)
def test_the_same_command_again_finishes_what_a_crash_cut_short(name: str, prepared: Prepared, tmp_path: Path) -> None:
    scenario = SCENARIOS[name]
    start = prepared(scenario, tmp_path / "start" / "stack")
    start.fake.calls.append("")  # so that the copies count alike
    served = set(start.fake.loaded) - scenario.gone
    texts = {start.text if start.file.exists() else ""}

    undisturbed = start.copy(tmp_path / "undisturbed" / "stack")
    first = len(undisturbed.fake.calls)
    undisturbed.report = fuse = Fuse()
    done(scenario.command(undisturbed))
    texts.add(undisturbed.text)
    calls = list(undisturbed.fake.calls)
    expected = state(undisturbed)
    assert expected["taken up"]

    # What lies between the end of an operation and the next one's beginning is no work.
    points = [("begin", k) for k in range(fuse.begun)] + [("end", fuse.finished - 1)]
    points += [("before call", k + 1) for k in range(first, len(calls)) if not calls[k].startswith(LOOKS)]
    points += [("after call", k + 1) for k in range(first, len(calls)) if calls[k].startswith(ACTS)]
    wrong: list[str] = []
    for number, (kind, at) in enumerate(points):
        world = start.copy(tmp_path / str(number) / "stack")
        crash = Fuse(begins_at=at if kind == "begin" else None, ends_at=at if kind == "end" else None)
        world.report = crash
        world.fake.kill_before = at if kind == "before call" else None
        world.fake.kill_after = at if kind == "after call" else None
        where = f"{kind} {at}"
        try:
            scenario.command(world)
        except Killed as killed:
            where += f" ({killed})"
        else:
            pytest.fail(f"{where}: was not reached")
        world.report, world.fake.kill_before, world.fake.kill_after = Notes(), None, None
        try:
            check_meanwhile(world, served, texts)
            done((scenario.again or scenario.command)(world))
            reached = state(world)
            differs = [key for key in expected if reached[key] != expected[key]]
            assert not differs, "; ".join(f"{key}: {_short(reached[key], expected[key])}" for key in differs)
        except AssertionError as error:
            wrong.append(f"{where}: {str(error).splitlines()[0]}")
    assert not wrong, f"{len(wrong)} of {len(points)} places:\n" + "\n".join(wrong)


def _short(reached: Any, expected: Any) -> str:
    if isinstance(reached, dict) and isinstance(expected, dict):
        keys = [key for key in {**reached, **expected} if reached.get(key) != expected.get(key)]
        return ", ".join(f"{key} {str(reached.get(key))[:60]!r} for {str(expected.get(key))[:60]!r}" for key in keys)
    if isinstance(reached, list) and isinstance(expected, list):
        surplus, missing = ([x[:2] for x in a if x not in b] for a, b in ((reached, expected), (expected, reached)))
        return f"surplus {surplus}, missing {missing}"
    return f"{str(reached)[:80]!r} for {str(expected)[:80]!r}"


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_dry_run_shows_exactly_what_the_command_then_does(
    name: str, prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = SCENARIOS[name]
    world = prepared(scenario, tmp_path / "stack")
    before = world.tree()
    with monkeypatch.context() as patch:
        patch.setattr(world, "dry_run", True)
        shown = scenario.command(world)
    assert shown.dry_run
    assert world.tree() == before
    executed = done(scenario.command(world))
    assert str(shown.plan).splitlines() == [f"{one.operation.text}  ({one.operation.cause})" for one in executed.steps]
