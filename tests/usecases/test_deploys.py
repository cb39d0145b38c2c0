from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stackctl.adapters.fakes.compose import Run
from stackctl.adapters.fakes.faults import Killed
from stackctl.engine.apply import drain
from stackctl.errors import EngineError, ExitCode, InputError, StackctlError, StackfileError
from stackctl.model import deploying
from stackctl.model.endpoints import Endpoint
from stackctl.model.project import ROLE_LABEL
from stackctl.observed.reply import Response
from stackctl.observed.sockets import Connection
from stackctl.plan.deploy import AwaitNew, PinService
from stackctl.proxies.proxy import Pins
from stackctl.usecases.deploy import DeployOptions, deploy
from stackctl.usecases.result import Result
from stackctl.usecases.status import status
from tests.usecases.world import World, done, without_waiting

OLD, NEW = 'image: "one:latest"\n', 'image: "one:2"\n'
CONF = "sites/one.example.com.conf"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deploying, "READY_SECONDS", 0.0)


@pytest.fixture
def app(site: World) -> World:
    """One app with a newer image in the file."""
    site.fake.images |= {"one:2": (8000,), "one:3": (8000,)}
    site.edit(OLD, NEW)
    return site


def runs(world: World, service: str = "one") -> list[Run]:
    return [run for run in world.fake.runs.values() if run.service.name == service]


def images(world: World, service: str = "one") -> list[str | None]:
    return [run.service.image for run in runs(world, service)]


def killed_before_it_waits(world: World, act: Callable[[], object]) -> None:
    """Deploy, and end the process when the new containers have been started."""
    begin = world.report.begin

    def killed(operation: object) -> None:
        if isinstance(operation, AwaitNew):
            raise Killed(operation.text)
        begin(operation)  # type: ignore[arg-type]

    world.report.begin = killed  # type: ignore[method-assign]
    with pytest.raises(Killed):
        act()
    world.report.begin = begin  # type: ignore[method-assign]


def texts(result: Result[None]) -> list[str]:
    return [operation.text for operation in result.plan.operations]


def line_of(world: World, text: str) -> int:
    """Return the number of the last line with a text."""
    return max(number for number, line in enumerate(world.text.splitlines(), 1) if text in line)


def key(world: World, text: str) -> None:
    """Give the service ``one`` a further key."""
    world.edit("      port: 8000\n", f"      port: 8000\n{text}")


def test_the_new_container_starts_first_and_the_old_one_ends_last(app: World) -> None:
    (old,) = runs(app)
    app.fake.looks.leaving = 2
    result = done(app.up())
    assert texts(result) == [
        "send requests for one to stack-one-1 only",
        "start a new container of one",
        "wait until the new containers of one are ready",
        "send requests for one to its other containers, and none to stack-one-1",
        "wait for the last requests to the old containers of one, at most 30 s",
        "stop and remove stack-one-1",
        "send requests for one by name again",
    ]
    (new,) = runs(app)
    assert (new.service.image, new.container.label) == ("one:2", "stack-one-2")
    assert app.fake.looks.leaving == 0, "the old one ends only once no old worker is left"
    assert len(app.asked("signal")) - len(app.asked("signal HUP")) == 0
    assert b"server one:8000 resolve;" in app.live()[CONF]
    assert app.fake.loaded_generation == app.published()
    assert old.container.id not in app.fake.runs
    assert not done(app.up()).plan
    app.fake.up(())
    assert [run.container.id for run in runs(app)] == [new.container.id], "Compose has nothing to change"


def test_a_service_that_is_built_has_the_image_that_compose_names_after_it(site: World) -> None:
    site.edit(OLD, "build: .\n")
    done(site.up())
    assert not done(site.up()).plan
    site.fake.builds["stack-one"] += 1
    (before,) = runs(site)
    done(site.up())
    (after,) = runs(site)
    assert before.container.image_id != after.container.image_id


def test_connections_that_stay_open_hold_a_deploy_no_longer_than_its_drain(app: World) -> None:
    key(app, "      deploy: {drain: 10ms}\n")
    app.fake.looks.leaving = 10**6
    done(app.up())
    assert images(app) == ["one:2"]
    assert [note for note in app.report.notes if "after 0.01 s" in note]


def connection(number: int, address: str | None = None, *, carries: bool = True) -> Connection:
    """One to ``address``, or from a client."""
    remote = Endpoint(address or "192.0.2.7", 8000)
    return Connection(number, remote, incoming=address is None, carries=carries)


def test_connections_of_other_sites_do_not_hold_a_deploy(app: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain, "STEADY_SECONDS", 0.0)
    (old,) = runs(app)
    websocket = (connection(1), connection(2, "10.9.0.99"))
    request = (connection(3), connection(4, old.container.addresses[0]))
    between = (connection(5),)
    looks = [None, (*websocket, *request), (*websocket, *between), websocket]
    app.fake.looks.leaving = 10**6
    app.fake.looks.connections = lambda: looks.pop(0)
    done(app.up())
    assert looks == []
    assert images(app) == ["one:2"]
    assert not [note for note in app.report.notes if "connections of before" in note]


def test_connections_that_are_new_are_waited_for(app: World, monkeypatch: pytest.MonkeyPatch) -> None:
    key(app, "      deploy: {drain: 50ms}\n")
    monkeypatch.setattr(drain, "STEADY_SECONDS", 0.2)
    app.fake.looks.leaving = 10**6
    app.fake.looks.connections = lambda: (connection(1), connection(2, "10.9.0.99"))
    done(app.up())
    assert [note for note in app.report.notes if "after 0.05 s" in note]


def test_where_processes_cannot_be_listed_the_whole_drain_passes(app: World, monkeypatch: pytest.MonkeyPatch) -> None:
    key(app, "      deploy: {drain: 10ms}\n")

    def refuse(_container: str) -> tuple[()]:
        raise EngineError("Docker reports an error: exec: ps: not found")

    monkeypatch.setattr(app.fake, "processes", refuse)
    done(app.up())
    assert images(app) == ["one:2"]
    assert [note for note in app.report.notes if "after 0.01 s" in note]


def test_requests_go_where_the_steps_say(app: World) -> None:
    (old,) = runs(app)
    seen: list[tuple[str, frozenset[str]]] = []
    begin = app.report.begin

    def note(operation: object) -> None:
        seen.append((type(operation).__name__, frozenset(app.proxies["nginx"].pins(app.live()).get("one", ()))))
        begin(operation)  # type: ignore[arg-type]

    app.report.begin = note  # type: ignore[method-assign]
    done(app.up())
    (new,) = runs(app)
    before, after = frozenset(old.container.addresses), frozenset(new.container.addresses)
    assert seen == [
        ("PinService", frozenset()),
        ("StartBeside", before),
        ("AwaitNew", before),
        ("SwitchService", before),
        ("Drain", after),
        ("RetireContainers", after),
        ("UnpinServices", after),
    ]


def test_a_service_of_several_sites_and_a_site_that_changes_meanwhile(site: World) -> None:
    done(site.add("shop.example.com", service="one"))
    site.fake.images["one:2"] = (8000,)
    site.edit(OLD, NEW)
    site.custom("shop.example.com.conf", "add_header X-Shop 1;\n")
    result = done(site.up())
    assert texts(result).count("send requests for one by name again") == 1
    assert images(site) == ["one:2"]
    assert b"server one:8000 resolve;" in site.live()[CONF]
    assert b"server one:8000 resolve;" in site.live()["sites/shop.example.com.conf"]
    assert "sites/shop.example.com.custom" in site.live()


def test_a_service_beside_another_in_upstreams_is_deployed_without_it(site: World) -> None:
    done(site.add("two.example.com"))
    site.edit(
        "\nx-stackctl:\n", "\nx-stackctl:\n  apps:\n    - {domains: [far.com], upstreams: ['one:8000', 'two:3000']}\n"
    )
    site.fake.images |= {"two:2": (3000,)}
    done(site.up())
    before = site.live()["sites/far.com.conf"]
    site.edit('image: "two:latest"\n', 'image: "two:2"\n')
    result = done(site.up())
    assert "send requests for two to its other containers, and none to stack-two-1" in texts(result)
    assert (images(site), images(site, "two")) == (["one:latest"], ["two:2"])
    assert site.live()["sites/far.com.conf"] == before


def test_a_network_alias_leads_to_the_chosen_containers_too(site: World) -> None:
    site.edit(OLD, f"{OLD}    networks: {{default: {{aliases: [App.internal]}}}}\n")
    apps = "  apps:\n    - {domains: [far.com], upstream: 'app.internal:8000'}\n"
    site.edit("\nx-stackctl:\n", f"\nx-stackctl:\n{apps}")
    done(site.up())
    before = site.live()["sites/far.com.conf"]
    assert b"server app.internal:8000 resolve;" in before
    site.fake.images["one:2"] = (8000,)
    site.edit(OLD, NEW)
    pinned: list[set[str]] = []
    begin = site.report.begin

    def note(operation: object) -> None:
        pinned.append({*site.proxies["nginx"].pins(site.live())})
        begin(operation)  # type: ignore[arg-type]

    site.report.begin = note  # type: ignore[method-assign]
    done(site.up())
    assert pinned[1:] == [{"one", "app.internal"}] * (len(pinned) - 1)
    assert site.live()["sites/far.com.conf"] == before
    assert images(site) == ["one:2"]
    site.remove("one.example.com", keep_service=True)
    site.fake.images["one:3"] = (8000,)
    site.edit(NEW, 'image: "one:3"\n')
    assert "PinService" in kinds(done(site.up())), "the alias alone is enough"
    assert images(site) == ["one:3"]


def test_two_services_share_the_reloads(site: World) -> None:
    done(site.add("two.example.com"))
    site.fake.images |= {"one:2": (8000,), "two:2": (3000,)}
    site.edit(OLD, NEW)
    site.edit('image: "two:latest"\n', 'image: "two:2"\n')
    before = len(site.asked("signal"))
    done(site.up())
    assert (images(site), images(site, "two")) == (["one:2"], ["two:2"])
    assert len(site.asked("signal")) - before == 4


@pytest.mark.parametrize(
    ("update", "starts", "reloads"),
    [("", 1, 4), ("{parallelism: 1}", 1, 6), ("{parallelism: 2}", 2, 5), ("{parallelism: 0}", 3, 4)],
)
def test_several_replicas_are_replaced_as_many_at_once_as_compose_says(
    site: World, update: str, starts: int, reloads: int
) -> None:
    site.fake.images["one:2"] = (8000,)
    config = f"      update_config: {update}\n" if update else ""
    replicas = 3 if update else 1
    site.edit(OLD, f"{OLD}    deploy:\n      replicas: {replicas}\n{config}")
    done(site.up())
    site.fake.add("one", replicas)
    site.edit(OLD, NEW)
    before, most = len(site.asked("signal")), 0
    old = {run.container.id for run in runs(site)}
    begin = site.report.begin

    def note(operation: object) -> None:
        nonlocal most
        most = max(most, len(runs(site)))
        begin(operation)  # type: ignore[arg-type]

    site.report.begin = note  # type: ignore[method-assign]
    done(site.up())
    assert images(site) == ["one:2"] * replicas
    assert not old & {run.container.id for run in runs(site)}
    assert most == replicas + starts
    assert len(site.asked("signal")) - before == reloads


def kinds(result: Result[None]) -> list[str]:
    return [type(one).__name__ for one in result.plan.operations]


@pytest.fixture(scope="module")
def made_three(made_site: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    """What each ``three`` is a copy of."""
    world = made_site.template(tmp_path_factory.mktemp("made") / "stack")
    world.edit(OLD, f"{OLD}    deploy: {{replicas: 3}}\n")
    with pytest.MonkeyPatch.context() as patch:
        without_waiting(patch)
        done(world.up())
    return world


@pytest.fixture
def three(made_three: World, tmp_path: Path) -> World:
    """One app with three containers."""
    return made_three.template(tmp_path / "stack")


def test_more_replicas_are_started_and_get_requests_once_they_are_ready(site: World) -> None:
    site.edit(OLD, f"{OLD}    deploy: {{replicas: 1}}\n")
    done(site.up())
    (first,) = runs(site)
    site.edit("replicas: 1", "replicas: 3")
    result = done(site.up())
    assert kinds(result) == ["PinService", "StartBeside", "AwaitNew", "UnpinServices"]
    assert {one.cause for one in result.plan.operations} >= {"it has 1 container, and is to have 3"}
    assert len(runs(site)) == 3
    assert runs(site)[0] == first
    assert not done(site.up()).plan


def test_fewer_replicas_get_no_requests_before_they_are_removed(three: World) -> None:
    three.edit("replicas: 3", "replicas: 1")
    result = done(three.up())
    assert kinds(result) == ["SwitchService", "Drain", "RetireContainers", "UnpinServices"]
    assert texts(result)[0].endswith("and none to stack-one-2, stack-one-3")
    assert [run.container.label for run in runs(three)] == ["stack-one-1"]
    assert not done(three.up()).plan


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_new_image_and_another_number_of_containers_at_once(count: int, three: World) -> None:
    three.fake.images["one:2"] = (8000,)
    three.edit("replicas: 3", f"replicas: {count}")
    three.edit(OLD, NEW)
    done(three.up())
    assert images(three) == ["one:2"] * count
    assert not done(three.up()).plan


def test_none_is_left_of_a_service_that_has_no_containers_any_more(three: World) -> None:
    three.edit("replicas: 3", "replicas: 0")
    there = {address for run in runs(three) for address in run.container.addresses}
    conf: list[bytes] = []
    begin = three.report.begin

    def note(operation: object) -> None:
        conf.append(three.live()[CONF])
        begin(operation)  # type: ignore[arg-type]

    three.report.begin = note  # type: ignore[method-assign]
    result = done(three.up())
    assert kinds(result) == ["StopRouting", "Drain", "RemoveContainers", "UnpinServices"]
    assert {b"server one:8000 resolve down;" in text for text in conf[1:]} == {True}
    assert there
    assert runs(three) == []
    where = f"docker-compose.yml:{line_of(three, 'x-stackctl:')}"
    assert result.notes == (f"{where}: one.example.com is answered with 502: one is to have no container",)
    assert b"down" not in three.live()[CONF]
    again = done(three.up())
    assert not again.plan
    assert again.notes == result.notes


@pytest.mark.parametrize("at", ["Drain", "RemoveContainers", "UnpinServices"])
def test_a_service_loses_its_containers_after_a_crash_too(three: World, at: str) -> None:
    three.edit("replicas: 3", "replicas: 0")
    begin = three.report.begin

    def killed(operation: object) -> None:
        if type(operation).__name__ == at:
            raise Killed(at)
        begin(operation)  # type: ignore[arg-type]

    three.report.begin = killed  # type: ignore[method-assign]
    with suppress(Killed):
        three.up()
    three.report.begin = begin  # type: ignore[method-assign]
    done(three.up())
    assert runs(three) == []
    assert b"in place of" not in three.live()[CONF]
    three.edit("replicas: 0", "replicas: 1")
    done(three.up())
    assert len(runs(three)) == 1


def test_the_other_servers_of_a_site_go_on_without_a_service_that_is_to_have_no_container(site: World) -> None:
    done(site.add("two.example.com"))
    site.edit(
        "\nx-stackctl:\n", "\nx-stackctl:\n  apps:\n    - {domains: [far.com], upstreams: ['one:8000', 'two:3000']}\n"
    )
    done(site.up())
    site.edit('image: "two:latest"\n', 'image: "two:latest"\n    deploy: {replicas: 0}\n')
    result = done(site.up())
    assert kinds(result) == ["StopRouting", "Drain", "RemoveContainers", "UnpinServices"]
    assert [note.partition(": ")[2] for note in result.notes] == [
        "two.example.com is answered with 502: two is to have no container"
    ]


def test_a_number_that_the_file_does_not_say_is_left_alone(site: World) -> None:
    site.fake.add("one", 3)
    assert not done(site.up()).plan
    assert len(runs(site)) == 3


@pytest.mark.parametrize("at", ["AwaitNew", "SwitchService", "Drain", "RetireContainers", "UnpinServices"])
@pytest.mark.parametrize("count", [1, 5])
def test_another_number_of_containers_goes_on_after_a_crash(count: int, at: str, three: World) -> None:
    three.edit("replicas: 3", f"replicas: {count}")
    begin = three.report.begin

    def killed(operation: object) -> None:
        if type(operation).__name__ == at:
            raise Killed(at)
        begin(operation)  # type: ignore[arg-type]

    three.report.begin = killed  # type: ignore[method-assign]
    with suppress(Killed):
        three.up()
    three.report.begin = begin  # type: ignore[method-assign]
    result = done(three.up())
    if count == 5 and at == "AwaitNew":
        assert kinds(result) == ["AwaitNew", "UnpinServices"]
    assert len(runs(three)) == count
    assert not three.proxies["nginx"].pins(three.live())
    assert not done(three.up()).plan


def test_stop_first_with_several_replicas_goes_on_with_the_others(site: World) -> None:
    site.fake.images["one:2"] = (8000,)
    site.edit(OLD, f"{OLD}    deploy:\n      replicas: 2\n      update_config: {{order: stop-first}}\n")
    done(site.up())
    site.fake.add("one", 2)
    site.edit(OLD, NEW)
    result = done(site.up())
    assert [type(one).__name__ for one in result.plan.operations] == [
        "PinService",
        *["SwitchService", "Drain", "RetireContainers", "StartBeside", "AwaitNew"] * 2,
        "UnpinServices",
    ]
    assert images(site) == ["one:2", "one:2"]


def test_another_port_counts_from_the_switch_on(site: World) -> None:
    site.fake.images["one:2"] = (9000,)
    site.edit(OLD, NEW)
    site.edit("      port: 8000\n", "      port: 9000\n")
    live: list[bytes] = []
    begin = site.report.begin

    def note(operation: object) -> None:
        live.append(site.live()[CONF])
        begin(operation)  # type: ignore[arg-type]

    site.report.begin = note  # type: ignore[method-assign]
    result = done(site.up())
    kinds = [type(one).__name__ for one in result.plan.operations]
    ports = [set(re.findall(rb"server [\d.]+:(\d+);", text)) for text in live]
    assert ports[kinds.index("AwaitNew")] == {b"8000"}
    assert ports[kinds.index("Drain")] == {b"9000"}
    assert b"server one:9000 resolve;" in site.live()[CONF]
    assert site.served() == {"one.example.com": "real"}


def test_replicas_with_another_port_are_replaced_one_after_the_other(three: World) -> None:
    three.fake.images["one:2"] = (9000,)
    three.edit(OLD, NEW)
    three.edit("      port: 8000\n", "      port: 9000\n")
    seen: list[tuple[int, list[str]]] = []
    begin = three.report.begin

    def note(operation: object) -> None:
        if type(operation).__name__ == "Drain":
            found = re.findall(rb"server 10[\d.]+:(\d+)", three.live()[CONF])
            seen.append((len(runs(three)), [one.decode() for one in found]))
        begin(operation)  # type: ignore[arg-type]

    three.report.begin = note  # type: ignore[method-assign]
    done(three.up())
    assert seen == [(4, ["8000", "8000", "9000"]), (4, ["8000", "9000", "9000"]), (4, ["9000", "9000", "9000"])]
    assert images(three) == ["one:2"] * 3
    assert b"server one:9000 resolve;" in three.live()[CONF]


@pytest.mark.parametrize("after", range(1, 4))
def test_replicas_with_another_port_go_on_after_a_crash_where_each_listens(after: int, three: World) -> None:
    three.fake.images["one:2"] = (9000,)
    three.edit(OLD, NEW)
    three.edit("      port: 8000\n", "      port: 9000\n")
    begin, drains = three.report.begin, 0

    def note(operation: object) -> None:
        nonlocal drains
        drains += type(operation).__name__ == "Drain"
        if drains == after:
            drains += 1
            raise Killed("Drain")
        ports = {
            run.container.addresses[0]: next(iter(three.fake.images[run.service.image or ""])) for run in runs(three)
        }
        for address, port in re.findall(rb"server (10[\d.]+):(\d+)", three.live()[CONF]):
            assert ports[address.decode()] == int(port)
        begin(operation)  # type: ignore[arg-type]

    three.report.begin = note  # type: ignore[method-assign]
    with pytest.raises(Killed):
        three.up()
    assert status(three.host).payload.deploying == ("one",)
    done(three.up())
    assert status(three.host).payload.deploying == ()
    assert images(three) == ["one:2"] * 3
    assert not done(three.up()).plan


# What may go wrong


SICK: dict[str, Callable[[World], object]] = {
    "exits": lambda world: world.fake.faults.exits.add("one"),
    "other port": lambda world: world.fake.images.update({"one:2": (9999,)}),
    "cannot start": lambda world: world.fake.faults.up_fails.add("one"),
    "health": lambda world: world.fake.looks.answers.update({"one:2 /up": Response(503)}),
}
SAID = {
    "exits": "it is exited",
    "other port": "it accepts no connection on port 8000",
    "cannot start": "one cannot be started",
    "health": "/up is answered with 503",
}


@pytest.mark.parametrize("how", SICK)
def test_an_image_that_never_gets_ready_leaves_the_old_one_untouched(how: str, app: World) -> None:
    key(app, "      health: {path: /up}\n")
    SICK[how](app)
    before = runs(app)
    entries = len(app.host.directory.history.entries())
    app.fake.looks.logs["one"] = "Traceback: no module named shop"
    result = app.up()
    assert result.code == ExitCode.DEPLOY_FAILED
    (error,) = result.errors
    assert SAID[how] in str(error)
    assert how == "cannot start" or "no module named shop" in str(error)
    assert error.hint
    assert "stackctl rollback" in error.hint
    assert runs(app) == before, "the same container, and no other"
    assert b"server one:8000 resolve;" in app.live()[CONF]
    assert app.fake.loaded_generation == app.published()
    assert len(app.host.directory.history.entries()) == entries + 1
    done(app.rollback())
    assert OLD in app.text
    assert runs(app) == before
    assert not done(app.up()).plan


def test_no_rollback_leads_to_an_image_whose_deploy_failed(app: World) -> None:
    app.fake.images["one:2"] = (9999,)
    app.up()
    app.up()
    kinds = [entry.kind for entry in app.host.directory.history.entries()]
    assert kinds.count("failed") == 1, "the same failure is one entry"
    app.edit(NEW, 'image: "one:3"\n')
    done(app.up())
    assert images(app) == ["one:3"]
    done(app.rollback())
    assert images(app) == ["one:latest"]


def test_a_health_request_has_the_name_of_the_site(app: World) -> None:
    key(app, "      health: {path: /up, status: 204}\n")
    app.fake.looks.answers["one:2 /up"] = Response(204)
    done(app.up())
    assert images(app) == ["one:2"]


def test_before_runs_first_and_its_failure_changes_nothing(app: World) -> None:
    key(app, "      deploy: {before: 'echo migrated'}\n")
    result = done(app.up())
    assert texts(result)[0] == "run 'echo migrated' in a one-off container of one"
    assert app.asked("run_one_off") == ["run_one_off one echo migrated"]
    app.edit("echo migrated", "false")
    app.edit(NEW, 'image: "one:3"\n')
    before = runs(app)
    failed = app.up()
    assert failed.code == ExitCode.DEPLOY_FAILED
    assert "'before' of one failed with exit code 1" in str(failed.errors[0])
    assert runs(app) == before
    assert [step.status for step in failed.steps if type(step.operation).__name__ == "StartBeside"] == ["skipped"]


def test_a_directive_that_names_the_service_is_named_by_its_line(app: World) -> None:
    app.custom("one.example.com.conf", "# mine\nlocation /raw/ { proxy_pass http://One:8000/; }\n")
    app.custom("http.conf", "upstream mine {\n  server one:8000;\n  server two:80;\n}\n")
    result = done(app.up())
    assert [note.partition(": ")[0] for note in result.notes] == [
        "nginx/custom/http.conf:2",
        "nginx/custom/one.example.com.conf:2",
    ]
    assert not done(app.up()).notes


def test_a_failed_service_keeps_no_other_from_its_deploy(site: World) -> None:
    done(site.add("two.example.com"))
    site.fake.images |= {"one:2": (9999,), "two:2": (3000,)}
    site.edit(OLD, NEW)
    site.edit('image: "two:latest"\n', 'image: "two:2"\n')
    result = site.up()
    assert result.code == ExitCode.DEPLOY_FAILED
    assert (images(site), images(site, "two")) == (["one:latest"], ["two:2"])
    assert not site.proxies["nginx"].pins(site.live())


# The command


def deploy_(world: World, name: str, *, dry_run: bool = False, **options: Any) -> Result[None]:
    return deploy(world.host, name, DeployOptions(**options), dry_run=dry_run)


def test_a_path_of_a_site_stands_for_its_service(site: World) -> None:
    site.fake.registry |= {"api:1": (9000,), "api:2": (9000,)}
    done(site.add("one.example.com/api", image="api:1"))
    done(deploy_(site, "One.example.com/api", image="api:2"))
    assert (images(site), images(site, "api")) == (["one:latest"], ["api:2"])
    with pytest.raises(InputError, match="no service of the Compose file answers /shop of") as error:
        deploy_(site, "one.example.com/shop")
    assert error.value.hint == "its paths are: /, /api"
    with pytest.raises(InputError, match="neither a site nor"):
        deploy_(site, "nobody.example.com/api")


def test_an_image_is_written_into_its_line_and_deployed(site: World) -> None:
    site.edit(OLD, 'image:  "one:latest"   # pinned by ops\n')
    done(site.up())
    site.fake.registry["one:2"] = (8000,)
    site.edit("      port: 8000\n", "      port: 8000\n      body-size: 1m\n")
    done(deploy_(site, "one.example.com", image="one:2"))
    assert 'image:  "one:2"   # pinned by ops\n' in site.text
    assert images(site) == ["one:2"]
    (entry,) = [one for one in site.host.directory.history.entries() if one.number == 4]
    assert "write docker-compose.yml" in entry.changes
    assert done(deploy_(site, "one")).plan.operations == ()


def test_a_newer_version_of_the_image_is_pulled_and_deployed(site: World) -> None:
    site.fake.registry["one:latest"] = (8000,)
    pull = site.fake.pull

    def newer(image: str) -> None:
        pull(image)
        site.fake.builds[image] += 1

    site.fake.pull = newer  # type: ignore[method-assign]
    (before,) = runs(site)
    done(deploy_(site, "one"))
    (after,) = runs(site)
    assert before.container.image_id != after.container.image_id


def test_other_services_stay_as_they_are(site: World) -> None:
    done(site.add("two.example.com"))
    site.fake.images |= {"one:2": (8000,), "two:2": (3000,)}
    site.edit(OLD, NEW)
    site.edit('image: "two:latest"\n', 'image: "two:2"\n')
    done(deploy_(site, "two"))
    assert (images(site), images(site, "two")) == (["one:latest"], ["two:2"])


def test_the_options_of_one_deploy_stand_in_for_the_keys(app: World) -> None:
    app.fake.images["one:2"] = (9999,)
    shown = deploy_(app, "one", drain=5.0, timeout=1.0, skip_health=True, dry_run=True)
    assert "check that the new containers of one run" in texts(shown)
    assert "wait for the last requests to the old containers of one, at most 5 s" in texts(shown)
    done(deploy_(app, "one", skip_health=True))
    assert images(app) == ["one:2"]


@pytest.mark.parametrize(
    ("name", "image", "problem"),
    [
        ("nobody", None, "'nobody' is neither a site nor a service of one"),
        ("certbot", None, "no site uses the service certbot"),
        ("out.example.com", None, "out.example.com is answered by no service of the Compose file"),
        ("one", "one:gone", "cannot be pulled"),
    ],
)
def test_what_cannot_be_deployed_is_refused_and_nothing_changes(
    name: str, image: str | None, problem: str, site: World
) -> None:
    done(site.add("out.example.com", upstream="10.0.0.5:80"))
    before, there = site.tree(), runs(site)
    with pytest.raises(StackctlError) as refused:
        deploy_(site, name, image=image)
    assert problem in str(refused.value)
    assert refused.value.hint or name == "out.example.com"
    assert (site.tree(), runs(site)) == (before, there)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('image: "one:${TAG:-latest}"\n', "is written as one:${TAG:-latest}"),
        ("<<: *app\n", "cannot edit without touching other lines"),
    ],
)
def test_an_image_that_is_not_written_in_one_line_is_not_edited(line: str, problem: str, site: World) -> None:
    site.edit("\nservices:\n", "\nx-app: &app\n  image: one:latest\n\nservices:\n")
    site.edit(f"    {OLD}", f"    {line}")
    site.fake.images["one:2"] = (8000,)
    before = site.tree()
    with pytest.raises(StackfileError, match=re.escape(problem)):
        deploy_(site, "one", image="one:2")
    assert site.tree() == before


# Stop first


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("    container_name: shop\n", "only one container can be named shop"),
        ("    ports: ['127.0.0.1:8099:8000']\n", "only one container can publish a port of the host"),
        ("    volumes: ['data:/data']\n", "its one container writes to a volume at /data"),
    ],
)
def test_where_two_cannot_run_at_once_the_plan_says_why_and_the_gap_is_told(
    text: str, reason: str, site: World
) -> None:
    site.edit(OLD, OLD + text)
    done(site.up())
    site.fake.images["one:2"] = (8000,)
    site.edit(OLD, NEW)
    (before,) = runs(site)
    shown = site.up(dry_run=True)
    (operation,) = shown.plan.operations
    assert operation.text == "stop one, and start it anew"
    where = site.line_of(text.strip())
    assert operation.cause == f"its definition changed; it stops first: {reason} ({where})"
    done(site.up())
    (after,) = runs(site)
    assert (after.service.image, after.container.id != before.container.id) == ("one:2", True)
    assert any(re.fullmatch(r"one: stopped first, and answered again after \d\.\d s", one) for one in site.report.notes)


def test_a_volume_that_only_the_image_declares_is_not_left_behind(app: World) -> None:
    (old,) = runs(app)
    app.fake.runs[old.container.id] = replace(old, container=replace(old.container, writes=("/var/lib/app",)))
    (operation,) = app.up(dry_run=True).plan.operations
    assert "it has a volume of its own at /var/lib/app" in operation.cause
    assert app.line_of("  one:") in operation.cause


def test_a_service_that_another_one_uses_stops_first(app: World) -> None:
    user = f'\n  cron:\n    image: "three:latest"\n    labels:\n      {ROLE_LABEL}: app\n    depends_on: [one]\n'
    app.edit("\nservices:\n", f"\nservices:{user}")
    result = done(app.up())
    kinds = [type(one).__name__ for one in result.plan.operations]
    assert kinds.index("UnpinServices") < kinds.index("StartService"), "Compose would replace one with cron"


# Whoever is interrupted goes on


def test_doctor_names_a_deploy_that_was_interrupted(app: World) -> None:
    killed_before_it_waits(app, lambda: deploy_(app, "one"))
    assert app.doctor()["apps"]["deploy"] == "wrong"
    done(app.up())
    assert images(app) == ["one:2"]
    assert "deploy" not in app.doctor()["apps"]


def test_a_site_that_is_sent_to_another_service_has_its_name_resolved_before(site: World) -> None:
    done(site.add("two.example.com"))
    done(site.up())
    site.edit("\nx-stackctl:\n", "\nx-stackctl:\n  apps:\n    - {domains: [far.com], upstream: 'one:8000'}\n")
    done(site.up())
    seen: list[bytes] = []
    signal = site.fake.signal

    def note(*arguments: Any) -> bool:
        seen.append(site.live()["sites/far.com.conf"])
        return signal(*arguments)

    site.fake.signal = note  # type: ignore[method-assign,assignment]
    site.edit("upstream: 'one:8000'", "upstream: 'two:3000'")
    done(site.up())
    ahead, after = seen
    assert b"server one:8000 resolve;\n    server two:3000 resolve down;\n" in ahead
    assert b"server two:3000 resolve;" in after
    assert b"one:8000" not in after
    site.edit("upstream: 'two:3000'", "upstream: 'two:3000', buffering: true")
    done(site.up())
    assert len(seen) == 3, "it is resolved already"


def other_addresses(world: World) -> dict[str, str]:
    """Swap the addresses of two containers of different services; return what each service had."""
    one, two = runs(world)[0], runs(world, "two")[0]
    for run, other in ((one, two), (two, one)):
        moved = replace(run.container, addresses=other.container.addresses)
        world.fake.runs[run.container.id] = replace(run, container=moved)
    return {"one": one.container.addresses[0], "two": two.container.addresses[0]}


def pins_of(world: World) -> Pins:
    return world.proxies["nginx"].pins(world.live())


def test_any_command_goes_back_to_the_name_of_a_service_whose_addresses_have_changed(app: World) -> None:
    done(app.add("two.example.com"))
    killed_before_it_waits(app, app.up)
    before = other_addresses(app)
    assert pins_of(app) == {"one": {before["one"]: {}}}
    result = done(app.add("three.example.com"))
    assert "send requests for one by name again" in texts(result)
    assert not pins_of(app)
    done(app.up())
    assert images(app) == ["one:2"]


def test_a_deploy_that_goes_on_uses_no_address_that_has_become_another_containers(app: World) -> None:
    done(app.add("two.example.com"))
    app.fake.images |= {"two:2": (3000,)}
    killed_before_it_waits(app, app.up)
    old = other_addresses(app)["one"]
    app.edit('image: "two:latest"\n', 'image: "two:2"\n')
    seen: list[Pins] = []
    begin = app.report.begin

    def note(operation: object) -> None:
        seen.append(pins_of(app))
        begin(operation)  # type: ignore[arg-type]

    app.report.begin = note  # type: ignore[method-assign]
    done(app.up())
    changed = [pins for pins in seen if pins != {"one": {old: {}}}]
    assert changed
    assert not any(old in pins.get("one", {}) for pins in changed)
    assert (images(app), images(app, "two"), pins_of(app)) == (["one:2"], ["two:2"], {})


def test_no_deploy_while_the_proxy_is_down(app: World) -> None:
    (proxy,) = runs(app, "nginx")
    del app.fake.runs[proxy.container.id]
    result = done(app.up())
    assert "start service one" in texts(result)
    assert images(app) == ["one:2"]


def test_an_ended_container_of_another_definition_is_removed(app: World) -> None:
    done(app.up())
    app.fake.add("one", 2)
    extra = runs(app)[1]
    changed = replace(extra.container, config_hash="other", state="exited")
    app.fake.runs[extra.container.id] = replace(extra, container=changed)
    result = done(app.up())
    assert texts(result) == ["stop and remove stack-one-1", "send requests for one by name again"]
    assert len(runs(app)) == 1


def test_rollback_deploys_the_earlier_image_the_same_way(app: World) -> None:
    done(app.up())
    result = done(app.rollback())
    assert images(app) == ["one:latest"]
    assert "SwitchService" in [type(step.operation).__name__ for step in result.steps]
    assert [run.container.label for run in runs(app)] == ["stack-one-1"]


def test_what_moves_to_another_network_with_the_proxy_is_started_there_and_the_proxy_after_it(app: World) -> None:
    app.file.write_text(f"{app.text}networks: {{front: {{}}}}\n")
    for service in ("nginx", "one"):
        app.edit(f"\n  {service}:\n", f"\n  {service}:\n    networks: [front]\n")
    result = done(app.up())
    assert "start service one" in texts(result)
    assert not [text for text in texts(result) if text.startswith("send requests")]
    assert app.served()["one.example.com"] == "real"
    assert texts(done(app.up())) == []


# A site that works is not switched to what does not answer


PORT_OF_ONE = "      port: 8000\n"
SWITCHES: dict[str, Callable[[World], object]] = {
    "another port": lambda world: world.edit(PORT_OF_ONE, "      port: 9000\n"),
    "a canary": lambda world: key(world, "      canary: {service: two, port: 9000, percent: 5}\n"),
    "another service": lambda world: world.edit("service: one, port: 8000", "service: two, port: 9000"),
}


@pytest.fixture(scope="module")
def made_shared(made_two: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    """What each ``two`` is a copy of."""
    world = made_two.template(tmp_path_factory.mktemp("made") / "stack")
    world.edit("\nx-stackctl:\n", "\nx-stackctl:\n  apps:\n    - {domains: [far.com], service: one, port: 8000}\n")
    with pytest.MonkeyPatch.context() as patch:
        without_waiting(patch)
        done(world.up())
    return world


@pytest.fixture
def two(made_shared: World, tmp_path: Path) -> World:
    """Three sites, two of which share a service."""
    return made_shared.template(tmp_path / "stack")


@pytest.mark.parametrize("how", SWITCHES)
def test_a_site_that_works_keeps_its_server_if_the_new_one_does_not_answer(how: str, two: World) -> None:
    live, there = two.live(), dict(two.fake.runs)
    SWITCHES[how](two)
    result = two.up()
    assert result.code == ExitCode.DEPLOY_FAILED
    (error,) = result.errors
    assert "does not answer on port 9000" in error.message
    assert error.where is not None
    assert "is served as before" in (error.hint or "")
    assert {path: two.live()[path] for path in live if path.startswith("sites/")} == {
        path: text for path, text in live.items() if path.startswith("sites/")
    }
    assert dict(two.fake.runs) == there
    assert two.host.directory.history.last().kind == "failed"  # type: ignore[union-attr]
    done(two.rollback())
    assert not done(two.up()).plan


@pytest.mark.parametrize("how", SWITCHES)
def test_a_site_that_does_not_work_loses_nothing(how: str, two: World) -> None:
    two.fake.images["one:latest"] = (1,)
    SWITCHES[how](two)
    result = two.up()
    assert result.code == ExitCode.ENGINE
    assert b":9000" in b"".join(two.live().values())


def test_a_new_path_of_a_site_takes_nothing_away(site: World) -> None:
    done(site.add("two.example.com"))
    key(site, "      routes: [{path: /api, service: two, port: 9000}]\n")
    result = site.up()
    assert result.code == ExitCode.ENGINE
    assert b"two:9000" in site.live()[CONF]


def test_where_no_port_can_be_tried_a_site_is_switched(two: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(two.fake, "accepts", lambda *_: None)
    SWITCHES["another port"](two)
    assert two.up().code == ExitCode.ENGINE
    assert b"one:9000" in two.live()[CONF]


def test_a_proxy_of_another_kind_is_not_told_where_requests_go(app: World) -> None:
    """It is the one of before the key ``proxy`` was changed, and has other commands."""
    live = (app.root / "nginx/live").readlink()
    (app.root / "haproxy" / live).mkdir(parents=True)
    (app.root / "haproxy/live").symlink_to(live)
    result = done(app.up())
    assert not [one for one in result.plan.operations if isinstance(one, PinService)]
    assert images(app) == ["one:2"]
