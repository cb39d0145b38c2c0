"""``explain``: the trace of a request by the live files and real requests; the hop that fails is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address
from typing import Any

import pytest

from stackctl.certs.dummy import make_dummy
from stackctl.certs.lineage import read_certificate
from stackctl.engine.probe import trace
from stackctl.errors import ExitCode, InputError
from stackctl.model.fields import Request
from stackctl.model.values import web_address
from stackctl.observed.reply import Failure, Reply
from stackctl.observed.sockets import ListeningSocket
from stackctl.usecases.explain import explain
from tests.usecases.world import World, data, done

NAME = "one.example.com"
HOPS = ["name", "port", "certificate", "server", "location", "upstream", "container", "answer", "port 80"]


@pytest.fixture(autouse=True)
def _no_waiting_for_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "LOG_SECONDS", 0.0)


GET = Request("GET", "/")


def traced(world: World, address: str = NAME, asked: Request = GET) -> tuple[ExitCode, dict[str, Any]]:
    name, target = web_address(address)
    result = explain(world.host, name, replace(asked, target=target))
    assert not result.changed
    return result.code, data(result)


def hop(data: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [row for row in data["links"] if row["link"] == name]
    return dict(found)


def broken(world: World, address: str = NAME) -> tuple[str, str, str]:
    """Return the one hop that fails, what is wrong there, and what to do."""
    code, data = traced(world, address)
    assert code == ExitCode.FAILED
    assert data["whole"] is False
    assert data["broken"] == next(row for row in data["links"] if row["verdict"] == "wrong")
    assert len([row for row in data["links"] if row["verdict"] == "wrong"]) == 1
    row = data["broken"]
    return row["link"], f"{row['text']}: {row['why']}", row["todo"]


def at(*listeners: tuple[str, int]) -> tuple[ListeningSocket, ...]:
    return tuple(ListeningSocket(ip_address(address), port) for address, port in listeners)


def test_a_request_without_a_fault(site: World) -> None:
    code, data = traced(site, f"https://{NAME}/a?b=c#d")
    assert (code, data["whole"], data["broken"], data["status"]) == (ExitCode.OK, True, None, 200)
    assert [row["link"] for row in data["links"]] == HOPS
    assert {row["verdict"] for row in data["links"]} == {"ok"}
    assert (data["domain"], data["path"]) == (NAME, "/a?b=c")
    for name, begins in (("server", "server {"), ("location", "    location / {"), ("upstream", "        proxy_pass")):
        file, _, line = hop(data, name)["where"].partition(":")
        assert file == f"nginx/sites/{NAME}.conf"
        assert (site.root / file).read_text().splitlines()[int(line) - 1].startswith(begins)
    assert hop(data, "name")["where"].startswith("docker-compose.yml:")
    assert "one:8000" in hop(data, "upstream")["text"]
    assert "stack_default at 10.9.0." in hop(data, "container")["text"]
    assert hop(data, "certificate")["text"].startswith("acme, issued by ")
    assert data["certificate"]["served"] == "real"
    assert data["certificate"]["days_left"] == 90
    assert data["containers"][0]["listens"] == ["0.0.0.0:8000"]
    assert data["http_location"] == f"https://{NAME}/a?b=c"
    assert data["log"] == []


def seen(service: str = "one", **facts: Any) -> Callable[[World], None]:
    return lambda world: world.fake.looks.seen.update({service: facts})


def replies(reply: Reply) -> Callable[[World], None]:
    return lambda world: world.fake.looks.replies.update({f"{NAME}/": reply})


def _log(world: World, message: str) -> None:
    line = f'{world.clock.now:%Y/%m/%d %H:%M:%S} [error] 7#7: *9 {message}, client: 10.9.0.1, host: "{NAME}"\n'
    world.fake.looks.logs["nginx"] = line


def _dummy(world: World) -> None:
    world.fake.loaded[NAME] = read_certificate(make_dummy([NAME], world.clock.now)[0])


def _another(world: World) -> None:
    chain, _ = world.fake.ca.issue([NAME], world.clock.now)
    world.fake.loaded[NAME] = read_certificate(chain)


def _expired(world: World) -> None:
    world.clock.now += timedelta(days=200)


def _not_live(world: World) -> None:
    world.edit("        - one.example.com\n", "        - one.example.com\n        - new.example.com\n")


def _gone(world: World) -> None:
    world.fake.remove([id_ for id_, run in world.fake.runs.items() if run.service.name == "one"])


@pytest.mark.parametrize(
    ("breaks", "name", "text", "todo"),
    [
        (seen(state="exited", exit_code=2), "container", "not running: exited with code 2", "stackctl up"),
        (seen(listeners=at(("0.0.0.0", 9000))), "container", "wrong port", "port: 9000"),
        (seen(listeners=at(("127.0.0.1", 8000))), "container", "127.0.0.1:8000 only", "0.0.0.0:8000"),
        (seen(networks={"other": "10.8.0.2"}), "container", "shares no network with the proxy", "force-recreate"),
        (seen(listeners=(), health="starting"), "container", "still starting", "in a moment"),
        (_gone, "container", "no container", "stackctl up"),
        (seen("nginx", state="exited"), "port", "stack-nginx-1 is exited", "stackctl up"),
        (_dummy, "certificate", "a dummy", "stackctl up"),
        (_another, "certificate", "not the one on disk", "reloads the proxy"),
        (_expired, "certificate", "it expired on", "stackctl renew"),
        (replies(Reply(500)), "answer", "the app itself answers 500", "stackctl logs"),
        (replies(Reply(301, f"https://{NAME}/")), "answer", "redirect loop", "X-Forwarded-Proto"),
        (replies(Reply(failure=Failure.TIMEOUT)), "answer", "no answer before the timeout", "stackctl logs"),
    ],
)
def test_the_failing_hop_is_named(
    site: World, breaks: Callable[[World], None], name: str, text: str, todo: str
) -> None:
    breaks(site)
    found = broken(site)
    assert found[0] == name
    assert text in found[1]
    assert todo in found[2]


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        (Reply(404), "404, by the app"),
        (Reply(302, "/login"), "302 to /login, by the app"),
        (Reply(301, f"https://www.{NAME}/"), "by the app"),
        (Reply(403), "403, by the app"),
    ],
)
def test_an_answer_of_the_app_is_no_failing_hop(site: World, reply: Reply, text: str) -> None:
    site.fake.looks.replies[f"{NAME}/"] = reply
    code, data = traced(site)
    assert code == ExitCode.OK
    assert text in hop(data, "answer")["text"]


def test_what_the_proxy_logged_is_shown(site: World) -> None:
    seen(listeners=at(("0.0.0.0", 9000)))(site)
    for _ in range(7):
        data = traced(site, f"{NAME}/x")[1]
    assert len(data["log"]) == 5
    assert data["log"][-1]["message"] == "connect() failed (111: Connection refused) while connecting to upstream"
    assert data["log"][-1]["upstream"] == "http://one:8000/x"
    assert data["status"] == 502


def test_a_502_without_a_logged_error_is_the_apps_own(site: World) -> None:
    _log(site, "connect() failed (111: Connection refused) while connecting to upstream")
    site.fake.looks.replies[f"{NAME}/"] = Reply(502)
    name, text, _ = broken(site)
    assert (name, "the app itself answers 502" in text) == ("answer", True)


def test_a_name_that_is_not_routed(site: World) -> None:
    name, text, todo = broken(site, "unknown.example.com")
    assert (name, "stackctl add-app unknown.example.com" in todo) == ("name", True)
    data = traced(site, "unknown.example.com")[1]
    assert "ssl_reject_handshake on" in hop(data, "server")["text"]
    assert hop(data, "server")["where"].startswith("nginx/nginx.conf:")
    assert "closed without an answer" in hop(data, "port 80")["text"]
    assert "unknown.example.com" in text


def test_a_name_that_is_not_live_yet(site: World) -> None:
    _not_live(site)
    name, text, todo = broken(site, "new.example.com")
    assert name == "certificate"
    assert "handshake is refused" in text
    assert "stackctl up" in todo


def test_a_route_that_is_not_live_yet_fails_at_the_upstream(site: World) -> None:
    site.edit("      port: 8000\n", "      port: 9000\n")
    text = hop(traced(site)[1], "upstream")["text"]
    assert "docker-compose.yml now says one:9000" in text
    seen(listeners=at(("0.0.0.0", 9000)))(site)
    assert broken(site)[0] == "upstream"


def test_a_live_port_that_begins_with_the_files_port_is_another_port(site: World) -> None:
    site.edit("      port: 8000\n", "      port: 80\n")
    assert "docker-compose.yml now says one:80" in hop(traced(site)[1], "upstream")["text"]


def test_a_service_whose_profile_is_not_active(site: World) -> None:
    site.edit("  one:\n", "  one:\n    profiles: [extra]\n")
    site.fake.remove([id_ for id_, run in site.fake.runs.items() if run.service.name == "one"])
    assert not done(site.up()).steps
    name, text, todo = broken(site)
    assert (name, "its profile is not active" in text) == ("container", True)
    assert "COMPOSE_PROFILES" in todo


def test_a_location_of_the_user(site: World) -> None:
    site.custom(f"{NAME}.conf", "location = /gone {\n    return 404;\n}\nlocation = /old {\n    return 302 /new;\n}\n")
    done(site.up())
    site.fake.looks.replies |= {f"{NAME}/gone": Reply(404), f"{NAME}/old": Reply(302, f"https://{NAME}/new")}
    name, text, todo = broken(site, f"{NAME}/gone")
    assert (name, "return 404" in text) == ("location", True)
    assert f"nginx/custom/{NAME}.conf:2" in todo
    code, data = traced(site, f"{NAME}/old")
    assert (code, hop(data, "location")["where"]) == (ExitCode.OK, f"nginx/custom/{NAME}.conf:4")
    assert "by the proxy itself" in hop(data, "answer")["text"]


def test_an_app_without_a_certificate(stack: World) -> None:
    done(stack.add(NAME, issue=False))
    name, text, _ = broken(stack)
    assert (name, "a dummy" in text) == ("certificate", True)
    data = traced(stack)[1]
    assert (data["status"], hop(data, "port 80")["text"]) == (200, "200")


def test_an_alias_and_an_upstream_outside_compose(stack: World) -> None:
    stack.fake.outside.add(("10.0.0.5", 8080))
    done(stack.add(NAME, "www.example.com", upstream="10.0.0.5:8080"))
    code, data = traced(stack, "www.example.com")
    assert code == ExitCode.OK
    assert f"an alias of {NAME}" in hop(data, "name")["text"]
    assert "outside Compose" in hop(data, "container")["text"]
    stack.fake.outside.clear()
    name, text, _ = broken(stack, "www.example.com")
    assert (name, "does not accept connections" in text) == ("container", True)


def test_a_stack_that_is_down(site: World) -> None:
    done(site.down())
    name, text, _ = broken(site)
    assert (name, "no container" in text) == ("port", True)
    assert "90 days left" in hop(traced(site)[1], "certificate")["text"]


def test_the_port_is_in_use_by_another_process(site: World) -> None:
    done(site.down())
    site.fake.taken[443] = "caddy (pid 7)"
    name, text, todo = broken(site)
    assert (name, "in use by caddy (pid 7)" in text) == ("port", True)
    assert todo.startswith("stop caddy (pid 7)")


@pytest.mark.parametrize("address", ["localhost", "https://", "a b.example.com", "*.example.com", "10.0.0.1/x", ""])
def test_an_invalid_address_is_refused(site: World, address: str) -> None:
    with pytest.raises(InputError):
        traced(site, address)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (NAME, "/"),
        (f"{NAME}?q", "/?q"),
        (f"HTTPS://{NAME}/ä b\r\nX: y", "/%C3%A4%20b%0D%0AX:%20y"),
        (f"http://{NAME}/a%20b#c", "/a%20b"),
    ],
)
def test_a_path_is_encoded_as_it_is_sent(text: str, path: str) -> None:
    assert web_address(text) == (NAME, path)
