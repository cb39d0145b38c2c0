"""What a site says of its servers, whichever route they are behind."""

from __future__ import annotations

import pytest

from stackctl.model.backends import Backend, Server
from stackctl.model.endpoints import Endpoint
from stackctl.model.matching import Match
from stackctl.model.routing import Route, Site, everything_to
from stackctl.model.values import Domain, ServiceName

WEB = Server.of(ServiceName("web"), 8000)
ADMIN = Server.of(ServiceName("web"), 9000)
API = Server.of(ServiceName("api"), 3000)
LEGACY = Server(Endpoint("10.0.0.5", 8080))
A = Domain("a.example.com")


def test_a_site_with_one_server_sends_every_path_there() -> None:
    site = Site((A,), everything_to(WEB))
    assert [(route.match, route.servers) for route in site.routes] == [(Match(), (WEB,))]
    assert (site.servers, site.services) == ((WEB,), ("web",))


def test_the_servers_of_all_routes_are_each_named_once_in_their_order() -> None:
    routes = (
        Route(Match(), Backend((WEB, LEGACY))),
        Route(Match.of("/api"), Backend((API, WEB))),
        Route(Match.of("/admin"), Backend((ADMIN,))),
    )
    site = Site((A,), routes)
    assert site.servers == (WEB, LEGACY, API, ADMIN)
    assert site.services == ("web", "api")


@pytest.mark.parametrize(
    ("server", "resolved"),
    [
        (WEB, True),
        (Server(Endpoint("legacy.internal", 80)), True),
        (LEGACY, False),
        (Server(Endpoint("2001:db8::5", 80)), False),
        (Server.of(ServiceName("10.0.0.5"), 80), True),
    ],
)
def test_a_server_is_resolved_by_its_name(server: Server, resolved: bool) -> None:
    assert server.is_resolved is resolved
