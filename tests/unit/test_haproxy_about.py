"""HAProxy: which lines of the shared files are about one site."""

from __future__ import annotations

import time

from stackctl.model.stack import Stack
from stackctl.model.values import Domain
from stackctl.proxies.haproxy.proxy import Haproxy
from stackctl.proxies.proxy import SiteTls
from stackctl.proxies.sites import Rendering
from tests.unit.build import site, stack, whole


def live(found: Stack) -> dict[str, bytes]:
    tls = {one.name: SiteTls(f"/{one.name}/chain", f"/{one.name}/key", frozenset(one.domains)) for one in found.sites}
    return whole(Rendering(Haproxy(), (3, 2), {}), found, tls)


def test_lines_of_other_sites_with_similar_names_are_left_out() -> None:
    files = live(
        stack(
            site("a.example.com", "www.a.example.com", service="web"),
            site("aa.example.com", service="api"),
            site("a.example.com.au", service="shop"),
        )
    )
    assert Haproxy().about(files, Domain("a.example.com")) == {
        "maps/certs.list": b"@a.example.com/pair a.example.com www.a.example.com\n",
        "maps/https.map": b"a.example.com 1\nwww.a.example.com 1\n",
        "maps/sites.map": b"a.example.com a.example.com\nwww.a.example.com a.example.com\n",
        "sites/a.example.com.cfg": files["sites/a.example.com.cfg"],
    }


def test_what_is_about_each_of_many_sites_is_found_in_one_look_at_the_maps() -> None:
    found = stack(*(site(f"n{number}.example.com", f"www.n{number}.example.com") for number in range(200)))
    files = live(found)
    begin = time.process_time()
    for one in found.sites:
        assert b"\n".join(Haproxy().about(files, one.name).values()).count(b"www.") >= 2
    # A search of the map of sites for each row of the maps took 10 s.
    assert time.process_time() - begin < 3
