"""``explain`` on a real stack: a request is really made, and the hop that fails is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.ailments import APPS, expired, replaced
from tests.e2e.conftest import NewStack
from tests.e2e.helpers import Stack, docker, wait_until

pytestmark = pytest.mark.e2e

CUSTOM = """\
location = /gone {
    return 410;
}
location /files/ {
    root /usr/share/nobody;
}
location ~ \\.gif$ {
    return 302 https://pictures.example.com$request_uri;
}
location /limited {
    limit_req zone=few;
    proxy_pass http://app_NAME;
}
location /elsewhere {
    proxy_pass http://127.0.0.1:9;
}
"""


@pytest.fixture(scope="module")
def stack(new_stack: NewStack) -> Stack:
    made = new_stack()
    made.init()
    for label in ("well", "sick"):
        made.add(label)
    return made


def explained(stack: Stack, address: str, code: int) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(stack.fails(code, "explain", address, "--output", "json").stdout)
    assert data["whole"] is (code == 0)
    return data


def why(data: dict[str, Any]) -> str:
    """Return the text of the hop that fails."""
    return f"{data['broken']['text']}: {data['broken']['why']}"


def hops(data: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["link"]: row for row in data["links"]}


def test_a_request_without_a_fault_is_printed_with_file_and_line(stack: Stack) -> None:
    name = stack.domain("well")
    data = explained(stack, f"{name}/healthz?x", 0)
    found = hops(data)
    assert {row["verdict"] for row in found.values()} == {"ok"}
    assert (data["status"], data["http_status"]) == (200, 301)
    for link, begins in (("server", "server {"), ("location", "location / {"), ("upstream", "proxy_pass")):
        file, _, line = found[link]["where"].partition(":")
        assert (stack.directory / file).read_text().splitlines()[int(line) - 1].strip().startswith(begins)
    (container,) = data["containers"]
    assert container["networks"].keys() == {f"{stack.project}_default"}
    assert container["listens"] == ["0.0.0.0:8000"]
    assert data["certificate"]["served"] == "real"
    done = stack.ok("explain", name)
    assert done.stdout.splitlines()[0] == f"https://{name}/"
    assert f"{stack.project}-well-1 on {stack.project}_default at " in done.stdout
    assert "every hop works" in done.stdout


@pytest.mark.parametrize("ill", ["wrong port", "loopback", "stopped", "network"])
def test_the_cause_of_a_502_is_named(stack: Stack, ill: str) -> None:
    name, ailment = stack.domain("sick"), APPS[ill]
    with ailment.breaks(stack, name):
        # The proxy may still use an address of the earlier container for a moment.
        wait_until(lambda: stack.https(name).status in {502, 504}, what="the proxy cannot reach it")
        data = explained(stack, name, 1)
    assert data["broken"]["link"] == "container"
    assert ailment.text in why(data)
    assert [row["link"] for row in data["links"] if row["verdict"] == "wrong"] == ["container"]
    assert data["status"] in {502, 504}
    assert data["log"][-1]["request"] == "GET / HTTP/1.1"
    assert data["log"][-1]["level"] == "error"
    wait_until(lambda: stack.https(name).status == 200, what="it is back")


@pytest.fixture(scope="module")
def custom(stack: Stack) -> Iterator[str]:
    """The app ``well`` with locations of the user."""
    name = stack.domain("well")
    (stack.directory / f"nginx/custom/{name}.conf").write_text(CUSTOM.replace("NAME", name))
    (stack.directory / "nginx/custom/http.conf").write_text(
        "limit_req_zone $host zone=few:1m rate=1r/m;\nserver { listen 443 ssl; server_name *.wild.example.com;\n"
        f"ssl_certificate /etc/letsencrypt/live/{name}/fullchain.pem;\n"
        f"ssl_certificate_key /etc/letsencrypt/live/{name}/privkey.pem;\nreturn 204; }}\n"
    )
    stack.ok("up")
    yield name
    for file in (stack.directory / "nginx/custom").iterdir():
        file.unlink()
    stack.ok("up")


def test_an_answer_of_the_proxy_itself_is_shown_with_file_and_line(stack: Stack, custom: str) -> None:
    own = f"nginx/custom/{custom}.conf"
    gone = explained(stack, f"{custom}/gone", 1)
    assert (gone["status"], gone["broken"]["link"], gone["broken"]["where"]) == (410, "location", f"{own}:1")
    assert f"{own}:2" in gone["broken"]["todo"]
    file = explained(stack, f"{custom}/files/a.txt", 1)
    assert (file["status"], file["broken"]["link"]) == (404, "location")
    assert "No such file" in why(file)
    picture = explained(stack, f"{custom}/files/a.gif", 0)
    assert picture["location"] == "https://pictures.example.com/files/a.gif"
    assert hops(picture)["location"]["where"] == f"{own}:7"
    nowhere = explained(stack, f"{custom}/elsewhere", 1)
    assert nowhere["broken"]["link"] == "container"
    assert "127.0.0.1:9 is the proxy's own container" in why(nowhere)
    wait_until(lambda: stack.https(custom, "/limited").status == 503, what="the limit is reached")
    limited = explained(stack, f"{custom}/limited", 1)
    assert (limited["status"], limited["broken"]["link"]) == (503, "location")
    assert "limiting requests" in why(limited)


def test_a_wildcard_server_of_the_user_serves_a_certificate_for_another_name(stack: Stack, custom: str) -> None:
    data = explained(stack, "a.wild.example.com", 1)
    assert data["broken"]["link"] == "certificate"
    assert custom in data["certificate"]["names"]
    assert "it does not cover a.wild.example.com" in why(data)
    assert hops(data)["server"]["where"] == "nginx/custom/http.conf:2"


def test_a_redirect_loop_is_reported(stack: Stack) -> None:
    # The lab's app redirects every unknown path to https, even if the request came over https.
    data = explained(stack, f"{stack.domain('well')}/any", 1)
    assert (data["status"], data["broken"]["link"]) == (302, "answer")
    assert "redirect loop" in why(data)


def test_a_name_that_is_not_routed_ends_at_the_default_server(stack: Stack) -> None:
    done = stack.fails(1, "explain", "unknown.example.com")
    assert "unknown.example.com is not routed" in done.stdout
    assert "ssl_reject_handshake on" in done.stdout
    assert "stackctl add-app unknown.example.com" in done.stdout
    data = explained(stack, "unknown.example.com", 1)
    assert (data["broken"]["link"], data["certificate"], data["http_status"]) == ("name", None, None)


@pytest.mark.parametrize(
    ("breaks", "text"), [(replaced, "not the one on disk"), (expired, "it expired on")], ids=["replaced", "expired"]
)
def test_a_wrong_certificate_is_reported(stack: Stack, breaks: Any, text: str) -> None:
    name = stack.domain("sick")
    with breaks(stack, name):
        data = explained(stack, name, 1)
    assert data["broken"]["link"] == "certificate"
    assert text in why(data)
    assert data["status"] == 200


def test_a_stopped_proxy(stack: Stack) -> None:
    name = stack.domain("well")
    docker("stop", stack.container("nginx"))
    try:
        data = explained(stack, name, 1)
    finally:
        docker("start", stack.container("nginx"))
    assert (data["broken"]["link"], data["status"]) == ("port", None)
    assert "is exited" in why(data)
    assert hops(data)["container"]["verdict"] == "ok"
    wait_until(lambda: stack.https(name).status == 200, what="the proxy is back")


def test_an_invalid_address_is_refused(stack: Stack) -> None:
    assert "no public CA" in stack.fails(2, "explain", "https://localhost/").stderr
