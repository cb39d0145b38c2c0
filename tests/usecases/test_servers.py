"""``servers``: their states, and changes of one in the text of the Compose file."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from stackctl.diagnose.hops import HopKind
from stackctl.errors import InputError, StackfileError
from stackctl.model.endpoints import Endpoint
from stackctl.model.fields import Request
from stackctl.model.values import Domain
from stackctl.observed.sockets import ListeningSocket
from stackctl.stackfile.settings import Change
from stackctl.stackfile.upstreams import DRAIN, ENABLE, ServerChange, weight_of
from stackctl.usecases.doctor.doctor import doctor
from stackctl.usecases.explain import explain
from stackctl.usecases.servers import ServerStatus, change_server, show_servers
from stackctl.usecases.set_keys import set_keys
from tests.usecases.world import World, data, done

FAR = Domain("far.example.com")
FIRST, SECOND = Endpoint("10.0.0.11", 80), Endpoint("10.0.0.12", 80)
LISTS = {
    "texts": '      upstreams:\n        - 10.0.0.11:80  # the first\n        - "10.0.0.12:80"\n',
    "flow": "      upstreams:\n        - {address: '10.0.0.11:80', weight: 3}\n        - {address: '10.0.0.12:80'}\n",
    "one line": "      upstreams: [10.0.0.11:80, {address: '10.0.0.12:80'}]\n",
    "block": "      upstreams:\n        - address: 10.0.0.11:80\n          weight: 3\n"
    "        - address: 10.0.0.12:80\n",
}


def listed(world: World, servers: str = LISTS["texts"], more: str = "") -> World:
    """A stack with a site outside Compose that has several servers."""
    text = world.text.replace("x-stackctl:\n", f"x-stackctl:\n  apps:\n    - domains: [{FAR}]\n{servers}{more}", 1)
    (world.root / "docker-compose.yml").write_text(text, encoding="utf-8")
    world.fake.outside |= {("10.0.0.11", 80)}
    done(world.up())
    return world


def shown(world: World, name: str = FAR) -> dict[str, ServerStatus]:
    result = show_servers(world.host, Domain(name))
    return {one.address: one for one in result.payload.servers}


def change(world: World, at: Endpoint, wanted: ServerChange, name: str = FAR) -> None:
    done(change_server(world.host, Domain(name), at, wanted))


def doctor_rows(world: World) -> list[dict[str, Any]]:
    sections = data(doctor(world.host, [Domain("one.example.com")]))["sections"]
    return [row for section in sections for row in section["checks"]]


def conf(world: World) -> str:
    return world.live()[f"sites/{FAR}.conf"].decode()


@pytest.mark.parametrize("kind", LISTS)
def test_a_drained_server_is_down_until_it_is_enabled(stack: World, kind: str) -> None:
    world = listed(stack, LISTS[kind])
    before, served = world.text, conf(world)
    change(world, SECOND, DRAIN)
    assert "server 10.0.0.12:80 down;" in conf(world)
    assert shown(world)["10.0.0.12:80"].state == "drained"
    assert [line for line in world.text.splitlines() if "0.12" not in line and "drain" not in line] == [
        line for line in before.splitlines() if "0.12" not in line
    ], "no other line changes"
    change(world, SECOND, DRAIN)
    change(world, SECOND, ENABLE)
    assert conf(world) == served
    assert "drain" not in world.text
    assert not world.up().plan


@pytest.mark.parametrize("kind", LISTS)
def test_a_weight_is_written_where_the_server_is(stack: World, kind: str) -> None:
    world = listed(stack, LISTS[kind])
    change(world, FIRST, weight_of(5))
    assert "server 10.0.0.11:80 weight=5;" in conf(world)
    assert ("# the first" in world.text) is (kind == "texts")
    assert shown(world)["10.0.0.11:80"].weight == 5


def test_clients_with_a_cookie_stay_at_a_drained_server(stack: World) -> None:
    world = listed(stack, more="      sticky: true\n")
    change(world, FIRST, DRAIN)
    assert "server 10.0.0.11:80 drain;" in conf(world)


@pytest.mark.parametrize(
    ("name", "at", "message", "hint"),
    [
        ("b.example.com", FIRST, "b.example.com is not routed", "add-app"),
        (FAR, Endpoint("10.0.0.11", 81), "has no server 10.0.0.11:81", "10.0.0.11:80, 10.0.0.12:80"),
        (FAR, FIRST, "none is left", "maintenance"),
        ("one.example.com", Endpoint("one", 8000), "containers share one name", "replicas"),
        ("alone.example.com", Endpoint("10.0.0.5", 80), "the only server", "upstreams"),
    ],
)
def test_a_server_that_cannot_be_drained_stays(site: World, name: str, at: Endpoint, message: str, hint: str) -> None:
    done(site.add("alone.example.com", upstream="10.0.0.5:80"))
    text = site.text.replace("  apps:\n", f"  apps:\n    - domains: [{FAR}]\n{LISTS['texts']}", 1)
    (site.root / "docker-compose.yml").write_text(text, encoding="utf-8")
    done(site.up())
    change(site, SECOND, DRAIN)
    before = site.tree()
    with pytest.raises(InputError) as caught:
        change_server(site.host, Domain(name), at, DRAIN)
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")
    assert site.tree() == before


def test_each_server_has_its_state_and_why(site: World) -> None:
    world = listed(site)
    there = shown(world)
    assert [one.state for one in there.values()] == ["up", "down"]
    assert "does not accept connections" in (there["10.0.0.12:80"].reason or "")
    (one,) = shown(world, "one.example.com").values()
    assert (one.state, one.service, one.match) == ("up", "one", "/")
    run = next(run for run in world.fake.runs.values() if run.service.name == "one")
    world.fake.runs[run.container.id] = replace(run, container=replace(run.container, state="exited"))
    (one,) = shown(world, "one.example.com").values()
    assert one.state == "down"
    assert "not running" in (one.reason or "")


def test_the_last_error_of_a_server_is_that_of_the_proxy(site: World) -> None:
    world = listed(site)
    line = (
        "{time} [error] 7#7: *1 connect() failed (111: Connection refused) while connecting to upstream, "
        'client: 192.0.2.1, server: far.example.com, request: "GET / HTTP/1.1", upstream: "http://10.0.0.12:80/", '
        'host: "{host}"\n'
    )
    log = line.format(time="2026/08/01 12:00:00", host=FAR) + line.format(time="2026/08/01 12:00:01", host="x.y")
    world.fake.looks.logs["nginx"] = log
    found = shown(world)["10.0.0.12:80"]
    assert (found.last_error_at, found.last_error) == (
        "2026/08/01 12:00:00",
        "connect() failed (111: Connection refused) while connecting to upstream",
    )
    assert shown(world)["10.0.0.11:80"].last_error is None
    assert replace(found, last_error=None, last_error_at=None).state == "down"


def test_explain_names_each_server_when_all_are_down(stack: World) -> None:
    world = listed(stack)
    result = explain(world.host, FAR, Request("GET", "/"))
    assert result.payload.whole, "one of them answers"
    world.fake.outside.clear()
    down = explain(world.host, FAR, Request("GET", "/")).payload
    assert [(hop.verdict, hop.why) for hop in down.hops if hop.kind is HopKind.CONTAINER] == [
        ("wrong", f"{at} does not accept connections") for at in (FIRST, SECOND)
    ]


def test_a_canary_is_a_server_of_its_site(site: World) -> None:
    done(site.add("two.example.com"))
    keys = "      port: 8000\n"
    canary = f"{keys}      canary: {{service: two, port: 3000, percent: 10}}\n"
    (site.root / "docker-compose.yml").write_text(site.text.replace(keys, canary, 1), encoding="utf-8")
    done(site.up())
    assert "10% app_one.example.com_two_3000;" in site.live()["sites/one.example.com.conf"].decode()
    assert [one.service for one in shown(site, "one.example.com").values()] == ["one", "two"]
    assert explain(site.host, Domain("one.example.com"), Request("GET", "/")).payload.hops
    site.fake.looks.seen["two"] = {"listeners": (ListeningSocket(ip_address("0.0.0.0"), 9000),)}
    wrong = [row for row in doctor_rows(site) if row["name"] == "app-port" and row["verdict"] == "wrong"]
    assert [row["todo"].partition(" and run")[0] for row in wrong] == [
        f"set the port to 9000 at {site.line_of('canary:')}"
    ]
    done(set_keys(site.host, "unset", Domain("one.example.com"), [Change("canary")]))
    assert "split_clients" not in site.live()["sites/one.example.com.conf"].decode()


def test_a_network_alias_is_seen_by_the_containers_of_its_service(site: World) -> None:
    site.edit(
        '    image: "one:latest"\n', '    image: "one:latest"\n    networks: {default: {aliases: [App.internal]}}\n'
    )
    site.edit("\nx-stackctl:\n", f"\nx-stackctl:\n  apps:\n    - {{domains: [{FAR}], upstream: 'app.internal:8000'}}\n")
    done(site.up())
    assert [(one.state, one.service) for one in shown(site).values()] == [("up", "one")]
    assert site.rows()[FAR]["health"] == "running"
    rows = [row for section in data(doctor(site.host, [FAR]))["sections"] for row in section["checks"]]
    assert [row["verdict"] for row in rows if row["name"] in {"app-port", "app-outside"}] == ["ok"]
    result = done(site.remove("one.example.com"))
    assert f"the service one keeps running, for {FAR}" in result.notes


def test_a_balance_of_one_server_is_only_noted(stack: World) -> None:
    listed(stack, "      upstreams: [10.0.0.11:80]\n", "      balance: least-conn\n")
    (note,) = stack.up().notes
    assert "one server here" in note
    assert note.startswith("docker-compose.yml:")


def test_a_service_in_upstreams_is_seen_by_its_containers(site: World) -> None:
    done(site.add("two.example.com"))
    text = site.text.replace(
        "\nx-stackctl:\n", f"\nx-stackctl:\n  apps:\n    - domains: [{FAR}]\n      upstreams: [one:8000, two:3000]\n"
    )
    site.file.write_text(text)
    done(site.up())
    assert "server one:8000 resolve;" in conf(site)
    assert [(one.state, one.service) for one in shown(site).values()] == [("up", "one"), ("up", "two")]
    assert site.rows()[FAR]["health"] == "running"
    assert "app-outside" not in site.doctor(FAR)[FAR]
    site.edit("[one:8000, two:3000]", "[one:8000, two:9000]")
    (error,) = site.up().errors
    assert f"set the port to 3000 at {site.line_of('two:9000')}" in (error.hint or "")
    site.edit("[one:8000, two:9000]", "[one:8000, two:3000]")
    change(site, Endpoint("two", 3000), DRAIN)
    assert [one.state for one in shown(site).values()] == ["up", "drained"]


CHECKED = [Change("health", "{path: /up, interval: 5s}")]
STATE = """judged\t1800000000
one.example.com\tone:80\t{at}\t/up\tdown\t1799999000\t0\t{place}\t/up is answered with 500
"""


@pytest.mark.parametrize("place", ["out", "in"])
def test_a_server_that_fails_its_checks_is_named_everywhere(site: World, place: str) -> None:
    name = Domain("one.example.com")
    done(set_keys(site.host, "set", name, CHECKED))
    server = next(iter(shown(site, name)))
    port = server.rpartition(":")[2]
    text = STATE.format(at=server, place=place).replace("one:80", f"one:{port}")
    site.fake.looks.printed["cat /run/stackctl/health/state"] = text
    row = shown(site, name)[server]
    assert row.state == ("down" if place == "out" else "up")
    assert row.reason is not None
    assert row.reason.endswith("/up is answered with 500")
    # One that is not left out is 'up', but not since it stopped answering.
    assert (row.since is not None) is (place == "out")
    status = site.rows()[name]
    assert (status["health"], status["routes"][0]["health"]) == ("failing", "failing")
    assert [(one["address"], one["state"], one["left_out"]) for one in status["servers"]] == [
        (server, "down", place == "out")
    ]
    failed = {row["name"]: row["text"] for row in doctor_rows(site) if row["verdict"] == "wrong"}
    assert failed["app-answer"] == row.reason
    hops = explain(site.host, name, Request("GET", "/")).payload.hops
    assert any(hop.text.endswith(row.reason) for hop in hops if hop.kind is HopKind.CONTAINER)


def test_a_proxy_that_does_not_ask_is_reported(site: World) -> None:
    done(set_keys(site.host, "set", Domain("one.example.com"), CHECKED))
    site.fake.looks.printed["cat /run/stackctl/health/state"] = "judged\t1000000000\n"
    site.fake.looks.seen["nginx"] = {"started": site.host.now()}
    failed = {row["name"]: row["text"] for row in doctor_rows(site) if row["verdict"] == "wrong"}
    assert "nginx does not ask the servers, last at 2001-09-0" in failed["health-checks"]


def test_an_image_that_cannot_ask_is_refused_before_anything_is_written(
    site: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site.fake.proxy, "programs", "")
    site.fake.builds["nginx:1.30"] += 1
    before = site.tree()
    with pytest.raises(StackfileError, match=r"cannot ask the servers of one\.example\.com"):
        set_keys(site.host, "set", Domain("one.example.com"), CHECKED)
    assert site.tree() == before
