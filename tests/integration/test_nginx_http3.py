"""A real nginx speaks HTTP/3 beside HTTP/2, and tells browsers so over HTTPS only."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator

import pytest

from stackctl.adapters.net.wire import HostWire
from stackctl.model.backends import Backend
from stackctl.model.endpoints import PortBinding
from stackctl.model.headers import Headers, Preset
from stackctl.model.limits import Rate
from stackctl.model.matching import Match
from stackctl.model.routing import Answer, Route
from stackctl.model.tuning import Tuning
from stackctl.proxies.nginx.layout import custom_site
from tests.integration.real_nginx import Connection, Ports, app, free_ports, serving
from tests.quic import ask_all
from tests.unit.build import routed

pytestmark = pytest.mark.e2e

NAME, OTHER = "a.example.com", "b.example.com"


@pytest.fixture(scope="module", params=["1.26", "1.30"])
def ports(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ports]:
    (echo,) = free_ports(1)
    settings = Tuning(rates=(Rate(1, 60, 8),), headers=Headers(Preset.BASIC))
    routes = (Route(Match(), Backend((app(echo),))), Route(Match.of("/said"), Answer(200, "said")))
    sites = [routed(NAME, *routes, tuning=settings), routed(OTHER, *routes)]
    custom = {custom_site(OTHER): b"location /own/ { add_header X-Own 1; return 200 own; }"}
    folder = tmp_path_factory.mktemp("http3")
    with serving(folder, sites, [echo], version=request.param, custom=custom, http3=True) as found:
        yield found


def test_a_site_answers_over_http3(ports: Ports) -> None:
    first, missing, said = ask_all(ports.https, NAME, [(NAME, "/x?a=1"), (NAME, "/\xfc"), (NAME, "/said")])
    assert (first.status, first.headers["x-frame-options"]) == (200, "SAMEORIGIN")
    assert first.body.decode().split()[1:3] == ["GET", "/x?a=1"]
    assert (missing.status, said.body) == (200, b"said")


def test_a_connection_is_for_one_site(ports: Ports) -> None:
    other, own = ask_all(ports.https, NAME, [(OTHER, "/"), (NAME, "/")])
    assert (other.status, own.status) == (421, 200)


def test_a_name_that_no_site_has_gets_no_handshake(ports: Ports) -> None:
    with pytest.raises(ConnectionError):
        ask_all(ports.https, "unknown.example.com", [("unknown.example.com", "/")])


def test_limits_count_over_all_protocols(ports: Ports) -> None:
    replies = ask_all(ports.https, NAME, [(NAME, "/")] * 12)
    assert replies[-1].status == 429
    assert replies[-1].headers["retry-after"] == "60"
    with Connection(ports.http) as connection:
        assert connection.ask(NAME, "GET", "/").status == 429


@pytest.mark.parametrize("path", ["/", "/said", "/own/", "/.well-known/none"])
def test_browsers_learn_of_it_over_https_alone(ports: Ports, path: str) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    plain = socket.create_connection(("127.0.0.1", ports.https), timeout=20)
    connection = http.client.HTTPConnection(OTHER)
    with context.wrap_socket(plain, server_hostname=OTHER) as connection.sock:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
    assert answer.headers.get_all("Alt-Svc") == [f'h3=":{ports.https}"; ma=86400']
    with Connection(ports.http) as unsafe:
        assert "alt-svc" not in unsafe.ask(OTHER, "GET", path).headers


def test_a_port_is_asked_whether_it_speaks_http3(ports: Ports) -> None:
    wire = HostWire()
    assert wire.speaks_quic(PortBinding("127.0.0.1", ports.https))
    assert not wire.speaks_quic(PortBinding("127.0.0.1", ports.http))
