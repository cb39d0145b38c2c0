"""``deploy --canary``, ``promote`` and ``abort``: both versions run, and no step costs a request."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from stackctl.engine.probe import trace
from stackctl.errors import ExitCode, InputError, StackctlError
from stackctl.model import deploying
from stackctl.model.fields import Request
from stackctl.model.values import Domain
from stackctl.observed.reply import Response
from stackctl.stackfile.canaries import Share
from stackctl.usecases import canary
from stackctl.usecases.deploy import DeployOptions, deploy
from stackctl.usecases.explain import explain
from stackctl.usecases.result import Result
from tests.usecases.test_deploys import CONF, images, key, killed_before_it_waits, runs, texts
from tests.usecases.world import World, data, done

NEW = "one-canary"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deploying, "READY_SECONDS", 0.0)
    monkeypatch.setattr(trace, "LOG_SECONDS", 0.0)


@pytest.fixture
def app(site: World) -> World:
    """One app, and a newer image in the registry."""
    site.fake.registry |= {"one:2": (8000,), "one:3": (8000,)}
    return site


@pytest.fixture
def on(app: World) -> World:
    """The app with a canary."""
    done(begin(app))
    return app


def begin(world: World, name: str = "one", percent: int = 10, cookie: str | None = None, **more: Any) -> Result[None]:
    options = DeployOptions(**{"image": "one:2", **more})
    return canary.start_canary(world.host, name, Share(percent, cookie), options)


def promote(world: World, name: str = "one", **more: Any) -> Result[None]:
    return canary.promote(world.host, name, DeployOptions(**more))


def abort(world: World, name: str = "one") -> Result[None]:
    return canary.abort(world.host, name, DeployOptions())


def test_a_canary_runs_beside_its_service_and_gets_its_share(app: World) -> None:
    before, (old,) = app.text, runs(app)
    result = done(begin(app, cookie="group=beta"))
    assert texts(result)[:3] == [
        "write docker-compose.yml",
        "start a new container of one-canary",
        "wait until the new containers of one-canary are ready",
    ]
    assert runs(app) == [old], "nothing of the service changed"
    assert images(app, NEW) == ["one:2"]
    live = app.live()[CONF].decode()
    assert 'split_clients "$remote_addr$http_user_agent"' in live
    assert "10% app_one.example.com_one-canary_8000;" in live
    assert "server one-canary:8000 resolve;" in live
    added = app.text.replace(before.rstrip("\n"), "")
    assert "canary:\n        service: one-canary\n        port: 8000\n        percent: 10\n" in app.text, added
    assert not done(app.up()).plan
    app.fake.up(())
    assert [run.container.id for run in runs(app)] == [old.container.id], "Compose has nothing to change"


def test_promote_deploys_the_image_and_ends_the_canary(on: World) -> None:
    text = on.text
    result = done(promote(on))
    assert texts(result) == [
        "write docker-compose.yml",
        "send requests for one to stack-one-1 only",
        "start a new container of one",
        "wait until the new containers of one are ready",
        "send requests for one to its other containers, and none to stack-one-1",
        "wait for the last requests to the old containers of one, at most 30 s",
        "stop and remove stack-one-1",
        "send requests for one by name again",
        "stage nginx.conf",
        "stage sites/one.example.com.conf",
        "test the staged configuration and make it live",
        "reload the proxy",
        "verify that one.example.com is served with its real certificate",
        "wait for the last requests to the containers of one-canary, at most 30 s",
        "stop and remove service one-canary",
    ]
    assert (images(on), images(on, NEW)) == (["one:2"], [])
    assert 'image: "one:2"\n' in on.text
    assert "canary" not in on.text
    assert not done(on.up()).plan
    done(on.rollback())
    assert on.text == text
    assert (images(on), images(on, NEW)) == (["one:latest"], ["one:2"])


def test_abort_leaves_everything_as_it_was_before(app: World) -> None:
    before, there, live = app.text, runs(app), app.live()[CONF]
    done(begin(app))
    assert app.text != before
    result = done(abort(app, "one.example.com"))
    assert texts(result)[-2:] == [
        "wait for the last requests to the containers of one-canary, at most 30 s",
        "stop and remove service one-canary",
    ]
    assert (app.text, runs(app), app.live()[CONF]) == (before, there, live)
    assert not images(app, NEW)
    assert not done(app.up()).plan


# Where it is routed


def test_each_site_of_a_service_and_each_of_its_routes_gets_the_share(app: World) -> None:
    done(app.add("two.example.com"))
    routes = ("{path: /api, service: one, port: 8000}", "{path: /two, service: two, port: 3000}")
    key(app, "      routes:\n" + "".join(f"        - {one}\n" for one in routes))
    done(app.add("shop.example.com", service="one"))
    done(app.up())
    before = app.text
    done(begin(app))
    assert "- {path: /api, service: one, port: 8000, canary: {service: " in app.text
    assert app.text.count("one-canary") == 4
    assert b"one-canary:8000" in app.live()["sites/shop.example.com.conf"]
    assert b"split_clients" in app.live()[CONF]
    assert b"canary" not in app.live()["sites/two.example.com.conf"]
    done(abort(app, NEW))
    assert app.text == before


def test_a_block_in_braces_and_other_line_endings_are_as_before(app: World) -> None:
    block = "\n      domains:\n        - one.example.com\n      port: 8000\n"
    app.edit(block, " {domains: [one.example.com], port: 8000}  # the shop\n")
    app.file.write_bytes(app.text.replace("\n", "\r\n").encode())
    done(app.up())
    before = app.file.read_bytes()
    done(begin(app, cookie="group=beta"))
    wanted = '{service: "one-canary", port: 8000, percent: 10, cookie: "group=beta"}}  # the shop\r\n'
    assert wanted in app.file.read_bytes().decode()
    done(abort(app))
    assert app.file.read_bytes() == before


def test_the_health_and_the_times_of_a_canary_are_those_of_its_service(app: World) -> None:
    key(app, "      health: {path: /up}\n      deploy: {drain: 5s, before: echo migrated}\n")
    done(app.up())
    app.fake.looks.answers["one:2 /up"] = Response(204)
    assert texts(done(begin(app)))[1] == "run 'echo migrated' in a one-off container of one-canary"
    done(deploy(app.host, NEW, DeployOptions(image="one:3", skip_health=True)))
    assert images(app, NEW) == ["one:3"]
    shown = canary.abort(app.host, "one", DeployOptions(), dry_run=True)
    assert "wait for the last requests to the containers of one-canary, at most 5 s" in texts(shown)
    done(promote(app, skip_health=True))
    assert images(app) == ["one:3"]


def test_a_canary_has_as_many_containers_as_its_service_and_its_share_can_be_changed(app: World) -> None:
    app.edit('image: "one:latest"\n', 'image: "one:latest"\n    deploy: {replicas: 2}\n')
    done(app.up())
    app.fake.add("one", 2)
    done(begin(app))
    assert images(app, NEW) == ["one:2", "one:2"]
    app.edit("percent: 10\n", "percent: 50\n")
    done(app.up())
    assert b"50% app_one" in app.live()[CONF]
    done(promote(app))
    assert images(app) == ["one:2", "one:2"]


# While it is on


def test_rollback_and_a_removed_key_end_a_canary_too(on: World) -> None:
    with_it = on.text
    result = done(on.rollback())
    assert result.plan.operations[-2].text == "wait for the last requests to the containers of one-canary, at most 30 s"
    assert (images(on), images(on, NEW)) == (["one:latest"], [])
    done(on.rollback())
    assert (on.text, images(on, NEW)) == (with_it, ["one:2"])
    key_ = re.search(r"      canary:\n(        .*\n)+", on.text)
    assert key_ is not None
    on.edit(key_[0], "")
    done(on.up())
    assert (images(on, NEW), b"canary" in on.live()[CONF]) == (["one:2"], False)
    done(abort(on))
    assert not images(on, NEW)


def test_a_site_that_is_removed_takes_its_canary_along(on: World) -> None:
    done(on.add("shop.example.com", service="one"))
    done(abort(on))
    done(begin(on))
    done(on.remove("one.example.com"))
    assert images(on, NEW) == ["one:2"], "the other site has it still"
    done(on.remove("shop.example.com"))
    assert "canary" not in on.text
    assert (images(on), images(on, NEW)) == ([], [])


def test_a_service_that_is_kept_without_its_site_keeps_no_canary(on: World) -> None:
    done(on.remove("one.example.com", keep_service=True))
    assert "one-canary" not in on.text
    assert (images(on), images(on, NEW)) == (["one:latest"], [])


def test_a_canary_is_not_removed_while_a_site_that_has_it_does_not_change(on: World) -> None:
    done(on.add("shop.example.com", service="one"))
    done(abort(on))
    done(begin(on))
    on.custom("shop.example.com.conf", "not_a_directive on;\n")
    result = abort(on)
    assert result.code == ExitCode.PROXY_REJECTED
    assert b"one-canary" in on.live()["sites/shop.example.com.conf"]
    assert b"one-canary" not in on.live()[CONF]
    assert images(on, NEW) == ["one:2"], "a share of that site's clients gets it"
    on.custom("shop.example.com.conf", "")
    done(on.up())
    assert not images(on, NEW)
    assert not done(on.up()).plan


# What is refused


def other_file(world: World) -> None:
    (world.root / "docker-compose.override.yml").write_text("services:\n  one:\n    init: true\n")


def by_hand(world: World) -> None:
    services("  next: {image: 'three:latest'}\n")(world)
    key(world, "      canary: {service: next, port: 80, percent: 5}\n")


def services(text: str) -> Callable[[World], object]:
    return lambda world: world.edit("\nservices:\n", f"\nservices:\n{text}")


def line(text: str) -> Callable[[World], object]:
    return lambda world: world.edit('    image: "one:latest"\n', f'    image: "one:latest"\n{text}')


REFUSED: dict[str, tuple[Callable[[World], object], str, str | None]] = {
    "a name": (line("    container_name: shop\n"), "only one container can be named shop", "container_name"),
    "a port": (line("    ports: ['8099:8000']\n"), "can publish a port of the host", "ports: ['8099:8000']"),
    "a volume": (
        line("    volumes: ['data:/data']\n"),
        "its one container writes to a volume at /data",
        "volumes: ['d",
    ),
    "an alias": (
        line("    networks: {default: {aliases: [store]}}\n"),
        "other services reach one as store, and would reach its canary too",
        "networks: {d",
    ),
    "a build": (
        lambda world: world.edit('    image: "one:latest"\n', '    image: "one:1"\n    build: .\n'),
        "one is built here, and its canary would be built from the same files",
        "build: .",
    ),
    "only a build": (lambda world: world.edit('image: "one:latest"', "build: ."), "one is built here", "build: ."),
    "a variable": (
        lambda world: world.edit('"one:latest"', "one:${TAG:-latest}"),
        "services.one.image is written as one:${TAG:-latest}",
        "${TAG",
    ),
    "the same image": (lambda world: world.edit("one:latest", "one:2"), "one has the image one:2 already", '"one:2"'),
    "a service of that name": (
        services("  one-canary: {image: 'three:latest'}\n"),
        "there is a service one-canary already, the name of the canary",
        "one-canary: {",
    ),
    "a canary by hand": (
        by_hand,
        "one has a canary already: next:80",
        "canary: {",
    ),
    "several servers": (
        lambda world: world.edit(
            "\nx-stackctl:\n",
            "\nx-stackctl:\n  apps:\n    - {domains: [far.com], upstreams: ['one:8000', '10.0.0.5:80']}\n",
        ),
        "one shares the requests of a route with other servers, whose clients would get its canary too",
        "far.com",
    ),
    "an override": (other_file, "docker-compose.override.yml changes one too, and would not change its canary", None),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_can_have_no_canary_is_refused_with_its_line_and_nothing_changes(name: str, app: World) -> None:
    prepare, message, where = REFUSED[name]
    prepare(app)
    before, there, calls = app.tree(), dict(app.fake.runs), list(app.fake.calls)
    with pytest.raises(StackctlError) as refused:
        begin(app)
    assert message in refused.value.message
    assert refused.value.hint
    assert refused.value.where == (app.line_of(where) if where else None)
    assert (app.tree(), dict(app.fake.runs)) == (before, there)
    assert not [call for call in app.fake.calls[len(calls) :] if call.startswith(("pull", "up"))]


def test_a_volume_that_only_the_image_declares_would_be_empty(app: World) -> None:
    (old,) = runs(app)
    app.fake.runs[old.container.id] = replace(old, container=replace(old.container, writes=("/var/lib/app",)))
    with pytest.raises(InputError, match="it has a volume of its own at /var/lib/app"):
        begin(app)


def test_what_a_canary_was_given_beside_its_image_is_not_lost(on: World) -> None:
    on.edit("    extends:\n", "    environment: {BETA: '1'}\n    extends:\n")
    done(on.up())
    before = on.tree()
    with pytest.raises(InputError, match="one-canary has environment of its own") as refused:
        promote(on)
    assert refused.value.where == on.line_of("    environment: {B")
    assert on.tree() == before
    done(abort(on))
    assert not images(on, NEW)


def test_an_image_that_cannot_be_pulled_changes_nothing(app: World) -> None:
    before = app.tree()
    with pytest.raises(StackctlError, match="cannot be pulled"):
        begin(app, image="one:gone")
    assert app.tree() == before


def test_a_second_canary_and_the_end_of_none_are_refused(app: World) -> None:
    for end in (promote, abort):
        with pytest.raises(InputError, match="one has no canary") as refused:
            end(app)
        assert "--canary 10%" in (refused.value.hint or "")
    done(begin(app))
    before = app.tree()
    for name in ("one", "one.example.com"):
        with pytest.raises(InputError, match="one has a canary already") as refused:
            begin(app, name, image="one:3")
        assert refused.value.where == app.line_of("  one-canary:")
        assert "stackctl deploy one-canary --image one:3" in (refused.value.hint or "")
    with pytest.raises(InputError, match="one-canary is a canary itself"):
        begin(app, NEW, image="one:3")
    with pytest.raises(InputError, match="needs the newer image"):
        begin(app, image=None)
    assert app.tree() == before


def test_a_canary_by_hand_is_ended_by_hand(app: World) -> None:
    done(app.add("two.example.com"))
    key(app, "      canary: {service: two, port: 3000, percent: 5}\n")
    done(app.up())
    for end in (promote, abort):
        with pytest.raises(InputError, match="the canary of one is two, which stackctl did not write") as refused:
            end(app)
        assert refused.value.where == app.line_of("canary: {")


def test_a_site_of_several_services_needs_the_name_of_one(app: World) -> None:
    done(app.add("two.example.com"))
    key(app, "      routes:\n        - {path: /two, service: two, port: 3000}\n")
    done(app.up())
    with pytest.raises(InputError, match=r"one\.example\.com has several services: one, two"):
        begin(app, "one.example.com")
    done(begin(app, "one"))
    done(promote(app, NEW))


# What is not ready


SICK: dict[str, Callable[[World], object]] = {
    "exits": lambda world: world.fake.faults.exits.add(NEW),
    "other port": lambda world: world.fake.registry.update({"one:2": (9999,)}),
    "cannot start": lambda world: world.fake.faults.up_fails.add(NEW),
    "health": lambda world: world.fake.looks.answers.update({"one:2 /up": Response(503)}),
}
SAID = {
    "exits": "it is exited",
    "other port": "it accepts no connection on port 8000",
    "cannot start": "one-canary cannot be started",
    "health": "/up is answered with 503",
}


@pytest.mark.parametrize("how", SICK)
def test_a_canary_that_never_gets_ready_is_taken_away(how: str, app: World) -> None:
    key(app, "      health: {path: /up}\n")
    done(app.up())
    SICK[how](app)
    app.fake.looks.logs[NEW] = "Traceback: no module named shop"
    before, there, live = app.text, runs(app), app.live()
    result = begin(app)
    assert result.code == ExitCode.DEPLOY_FAILED
    (error,) = result.errors
    assert SAID[how] in str(error)
    assert how == "cannot start" or "no module named shop" in str(error)
    assert (
        error.hint == "docker-compose.yml is as before, and so is where requests go: correct the image, and try again"
    )
    assert error.where in {None, app.line_of("  one:")}
    assert (app.text, runs(app), runs(app, NEW), app.live()) == (before, there, [], live)
    assert not done(app.up()).plan
    (failed,) = [one for one in app.host.directory.history.entries() if one.kind == "failed"]
    assert SAID[how] in failed.changes[0]
    done(app.rollback())
    assert "path: /up" not in app.text, "the state before the last change, not before the failure"


def test_a_begin_that_was_killed_and_never_gets_ready_can_be_aborted(app: World) -> None:
    before, live = app.text, app.live()
    app.fake.faults.exits.add(NEW)
    killed_before_it_waits(app, lambda: begin(app))
    result = app.up()
    assert result.code == ExitCode.DEPLOY_FAILED
    assert "end the canary with 'stackctl abort one'" in (result.errors[0].hint or "")
    assert (images(app, NEW), app.live()[CONF]) == ([], live[CONF])
    done(abort(app))
    assert app.text == before
    assert not done(app.up()).plan


@pytest.mark.parametrize("how", ["exits", "cannot start"])
def test_a_promote_that_fails_leaves_the_canary_on(how: str, on: World) -> None:
    {"exits": on.fake.faults.exits, "cannot start": on.fake.faults.up_fails}[how].add("one")
    before, there, live = on.text, (runs(on), runs(on, NEW)), on.live()
    result = promote(on)
    assert result.code == ExitCode.DEPLOY_FAILED
    assert (on.text, (runs(on), runs(on, NEW)), on.live()) == (before, there, live)
    on.fake.faults.exits.clear()
    on.fake.faults.up_fails.clear()
    assert not done(on.up()).plan
    done(promote(on))
    assert (images(on), images(on, NEW)) == (["one:2"], [])


# What 'explain' says of it


def explained(world: World, *headers: tuple[str, str]) -> dict[str, Any]:
    return data(explain(world.host, Domain("one.example.com"), Request("GET", "/", headers=headers)))


def hops(found: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [row for row in found["links"] if row["link"] == kind]


def shares(found: dict[str, Any]) -> dict[str, tuple[str, int | None]]:
    return {row["service"]: (row["container"], row["share"]) for row in found["containers"]}


def test_both_sides_are_traced_with_their_share(app: World) -> None:
    done(begin(app, cookie="group=beta"))
    found = explained(app)
    assert found["whole"]
    (upstream,) = hops(found, "upstream")
    assert upstream["text"].startswith("one:8000 for 90 %, one-canary:8000 for 10 %, by proxy_pass http://$site_")
    assert shares(found) == {"one": ("stack-one-1", 90), NEW: ("stack-one-canary-1", 10)}
    old, new = hops(found, "container")
    assert old["text"].startswith("90 % of the clients: stack-one-1 on ")
    assert new["text"].startswith("10 % of the clients: stack-one-canary-1 on ")
    found = explained(app, ("Cookie", "a=b; group=beta"))
    assert found["whole"]
    assert hops(found, "upstream")[0]["text"].startswith("one-canary:8000, by ")
    assert shares(found) == {NEW: ("stack-one-canary-1", None)}


def test_a_canary_that_fails_is_named_although_this_request_was_answered(on: World) -> None:
    (gone,) = runs(on, NEW)
    on.fake.runs[gone.container.id] = replace(gone, container=replace(gone.container, state="exited"))
    found = explained(on)
    assert (found["whole"], found["status"]) == (False, 200)
    good, bad = hops(found, "container")
    assert (good["verdict"], bad["verdict"]) == ("ok", "wrong")
    assert bad["where"] == on.line_of("      canary:")
    assert "exited" in bad["text"]
    assert bad["todo"]


def test_a_canary_without_a_container_leaves_its_clients_to_the_others(on: World) -> None:
    group = on.live()[CONF].decode().partition("upstream app_one.example.com_one-canary_8000 {")[2].partition("}")[0]
    assert "server one-canary:8000 resolve;\n    server one:8000 backup resolve;\n" in group
    (run,) = runs(on, NEW)
    on.fake.runs[run.container.id] = replace(run, container=replace(run.container, state="exited"))
    assert on.doctor()["apps"]["app-container"] == "wrong"
    rows = [row for section in data(on.diagnosis)["sections"] for row in section["checks"] if row["verdict"] == "wrong"]
    assert [row["text"].rpartition("; ")[2] for row in rows if row["name"] == "app-container"] == [
        "clients of this canary get one:8000 until then"
    ]


def test_without_a_share_only_the_cookie_leads_to_it(app: World) -> None:
    done(begin(app, percent=0, cookie="group=beta"))
    found = explained(app)
    assert hops(found, "upstream")[0]["text"].startswith("one:8000, by ")
    assert shares(found) == {"one": ("stack-one-1", None)}
