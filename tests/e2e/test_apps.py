"""Apps behind the proxy: added, asked, loaded, removed."""

from __future__ import annotations

import ipaddress
import json
import socket
import ssl
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import pytest

from tests.e2e.conftest import NewStack
from tests.e2e.helpers import APP_IMAGE, Secure, Stack, inspect, sans, trusting, wait_until
from tests.e2e.load import load
from tests.e2e.websocket import WebSocket

pytestmark = pytest.mark.e2e


@dataclass
class Pair:
    """A stack with two apps, which most tests only look at."""

    stack: Stack
    first: str
    second: str


@pytest.fixture(scope="module")
def pair(new_stack: NewStack) -> Pair:
    stack = new_stack()
    stack.init()
    return Pair(stack, stack.add("app1"), stack.add("app2"))


def test_each_name_reaches_its_app_over_trusted_https(pair: Pair) -> None:
    stack = pair.stack
    for name, service in ((pair.first, "app1"), (pair.second, "app2")):
        reply = stack.https(name)
        assert reply.status == 200
        assert reply.json()["app"] == stack.container(service)[:12]
        assert sans(reply.certificate) == {name}


def test_status_shows_what_is_served(pair: Pair) -> None:
    rows = json.loads(pair.stack.ok("status", "--output", "json").stdout)["apps"]
    assert [(row["app"], row["served"]) for row in rows] == [(pair.first, "real"), (pair.second, "real")]


def test_the_app_learns_of_the_client_from_the_proxy_only(pair: Pair) -> None:
    forged = {"X-Real-IP": "192.0.2.1", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "evil.example"}
    seen = pair.stack.https(pair.first, headers=forged).json()
    headers = seen["headers"]
    assert seen["host"] == pair.first
    assert headers["X-Forwarded-Host"] == pair.first
    assert headers["X-Forwarded-Proto"] == "https"
    client = headers["X-Real-IP"]
    assert client != "192.0.2.1"
    assert not ipaddress.ip_address(client).is_unspecified
    assert headers["X-Forwarded-For"] == client
    assert "Upgrade" not in headers


def test_http_redirects_to_https_with_path_and_query(pair: Pair) -> None:
    reply = pair.stack.http(pair.first, "/a/b?c=d")
    assert reply.status in {301, 308}
    assert reply.headers["Location"] == f"https://{pair.first}/a/b?c=d"


def test_the_challenge_path_is_answered_by_the_webroot(pair: Pair) -> None:
    folder = pair.stack.directory / "data/certbot/www/.well-known/acme-challenge"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "token-of-a-test").write_text("key authorization")
    assert pair.stack.http(pair.first, "/.well-known/acme-challenge/token-of-a-test").body == b"key authorization"
    assert pair.stack.http(pair.first, "/.well-known/acme-challenge/no-such-token").status == 404


@pytest.mark.parametrize("offered", [["h2", "http/1.1"], ["http/1.1"]])
def test_the_best_protocol_is_negotiated(pair: Pair, offered: list[str]) -> None:
    context = trusting(pair.stack.lab.root)
    context.set_alpn_protocols(offered)
    with (
        socket.create_connection((pair.stack.address, 443), 10) as plain,
        context.wrap_socket(plain, server_hostname=pair.first) as secure,
    ):
        assert secure.selected_alpn_protocol() == offered[0]


def test_old_tls_is_refused(pair: Pair) -> None:
    context = trusting(None)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection((pair.stack.address, 443), 10) as plain, pytest.raises((ssl.SSLError, OSError)):
        context.wrap_socket(plain, server_hostname=pair.first)


def test_a_websocket_echoes_through_the_proxy(pair: Pair) -> None:
    with WebSocket(pair.stack.address, pair.first, trusting(pair.stack.lab.root)) as opened:
        assert opened.echo(b"hello through the proxy") == b"hello through the proxy"


def test_a_large_body_arrives_whole(pair: Pair) -> None:
    size = 20 << 20
    reply = pair.stack.https(pair.first, "/upload", method="POST", body=bytes(size))
    assert reply.json()["length"] == size


def test_a_body_over_the_limit_is_refused_before_it_is_sent(pair: Pair) -> None:
    connection = Secure(pair.stack.address, pair.first, trusting(pair.stack.lab.root))
    try:
        connection.putrequest("POST", "/upload")
        connection.putheader("Content-Length", str((64 << 20) + 1))
        connection.endheaders()
        assert connection.getresponse().status == 413
    finally:
        connection.close()


def test_keys_are_the_owners_alone(pair: Pair) -> None:
    keys = [path for path in pair.stack.directory.rglob("privkey*.pem") if not path.is_symlink()]
    assert len([path for path in keys if "archive" in path.parts]) == 2
    for key in keys:
        assert stat.S_IMODE(key.stat().st_mode) == 0o600, key


@pytest.mark.parametrize("command", ["init", "add-app", "up", "renew", "status", "remove-app"])
def test_a_command_again_changes_nothing(pair: Pair, command: str) -> None:
    stack = pair.stack
    arguments = {
        "init": stack.init_arguments(),
        "add-app": ["add-app", pair.first, "--image", APP_IMAGE],
        "remove-app": ["remove-app", "never-there.example.com"],
    }
    before, serials = stack.state(), [stack.serial(name) for name in (pair.first, pair.second)]
    stack.ok(*arguments.get(command, [command]))
    assert stack.state() == before
    assert [stack.serial(name) for name in (pair.first, pair.second)] == serials


def test_a_name_that_is_taken_is_refused(pair: Pair) -> None:
    before = pair.stack.state()
    pair.stack.fails(2, "add-app", pair.stack.domain("app9"), "--alias", pair.first, "--image", APP_IMAGE)
    pair.stack.fails(2, "add-app", pair.first, "--image", "another/image:1")
    assert pair.stack.state() == before


def test_an_app_is_added_and_removed_without_a_lost_request_of_others(pair: Pair) -> None:
    stack = pair.stack
    with load(stack, pair.first, pair.second) as tally:
        third = stack.add("app3")
        assert stack.trusted(third)
        stack.ok("remove-app", third, "--delete-cert", "--yes")
    assert tally.served > 50
    assert tally.lost == []
    assert "app3" not in stack.containers()
    assert third not in stack.lineages()


def test_remove_app_takes_the_route_and_the_service_and_leaves_the_rest(pair: Pair) -> None:
    stack = pair.stack
    gone = stack.add("app4")
    serial = stack.serial(gone)
    others = {service: cid for service, cid in stack.containers().items() if service != "app4"}

    stack.ok("remove-app", gone)

    assert stack.refused(gone)
    assert stack.closed(gone)
    assert stack.containers() == others
    assert gone not in stack.file.read_text()
    assert stack.trusted(pair.first)
    assert stack.trusted(pair.second)
    # The certificate stays, and is there when the app comes back.
    assert gone in stack.lineages()
    assert stack.add("app4") == gone
    assert stack.serial(gone) == serial

    # Without anybody to ask nothing is deleted; with --yes it is, although the route has gone before.
    stack.ok("remove-app", gone)
    stack.fails(2, "remove-app", gone, "--delete-cert")
    assert gone in stack.lineages()
    stack.ok("remove-app", gone, "--delete-cert", "--yes")
    assert gone not in stack.lineages()
    assert not list(stack.live.parent.glob(f"*/{gone}*"))


def test_something_outside_compose_is_served(pair: Pair) -> None:
    stack = pair.stack
    name = stack.domain("outside")
    # The second app by its address: for the proxy one more host of the network.
    stack.ok("add-app", name, "--upstream", f"{_address_of(stack, 'app2')}:8000", "--no-issue")
    assert stack.http(name).json()["app"] == stack.container("app2")[:12]
    stack.ok("remove-app", name)
    assert stack.refused(name)
    assert stack.trusted(pair.second)


def _address_of(stack: Stack, service: str) -> str:
    networks = inspect(stack.container(service))["NetworkSettings"]["Networks"]
    return str(next(iter(networks.values()))["IPAddress"])


def test_down_twice_and_up_bring_the_same_certificates_back(pair: Pair) -> None:
    stack = pair.stack
    serials = {name: stack.serial(name) for name in (pair.first, pair.second)}
    before = stack.files()
    stack.ok("down")
    assert stack.containers() == {}
    stack.ok("down")
    assert stack.files() == before
    stack.ok("up")
    assert stack.files() == before
    for name, serial in serials.items():
        wait_until(partial(stack.trusted, name))
        assert stack.serial(name) == serial
    assert stack.certificate(pair.first).not_valid_after_utc > datetime.now(UTC)
