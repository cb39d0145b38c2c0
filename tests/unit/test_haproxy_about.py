"""HAProxy: which lines of the shared files are about one site."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_network

from stackctl.model.blocked import Blocked
from stackctl.model.headers import Headers, Hsts
from stackctl.model.limits import Rate
from stackctl.model.matching import Match
from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.model.tuning import Tuning
from stackctl.model.values import Domain
from stackctl.proxies.haproxy.proxy import Haproxy
from stackctl.proxies.proxy import SiteTls
from stackctl.proxies.sites import Rendering
from tests.unit.build import site, stack, whole

NO_FILES: Mapping[str, bytes] = {}


def live(found: Stack, custom: Mapping[str, bytes] = NO_FILES) -> dict[str, bytes]:
    tls = {one.name: SiteTls(f"/{one.name}/chain", f"/{one.name}/key", frozenset(one.domains)) for one in found.sites}
    return whole(Rendering(Haproxy(), (3, 2), custom), found, tls)


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


def test_the_clients_that_a_site_refuses_are_about_it() -> None:
    refusing = replace(site("a.example.com"), blocked=Blocked((ip_network("192.0.2.0/24"),)))
    files = live(stack(refusing, site("b.example.com")))
    about = Haproxy().about(files, Domain("a.example.com"))
    assert about["maps/a.example.com.blocked.list"] == b"192.0.2.0/24\n"
    assert b"-f maps/a.example.com.blocked.list" in about["frontend.cfg"]
    assert "maps/a.example.com.blocked.list" not in Haproxy().about(files, Domain("b.example.com"))


def test_browsers_learn_of_hsts_from_a_redirect_to_the_canonical_name_too() -> None:
    secure = replace(site("a.example.com", "www.a.example.com"), canonical=Domain("a.example.com"))
    secure = replace(secure, tuning=Tuning(headers=Headers(hsts=Hsts(60))))
    files = live(stack(secure))
    assert files["maps/hsts.map"] == b"a.example.com max-age=60\n"
    assert (
        b"%[var(txn.site),map_str(maps/hsts.map)] if { ssl_fc } !{ var(txn.route) -m found }" in files["frontend.cfg"]
    )


def limited(*rates: Rate) -> Site:
    return replace(site("a.example.com"), tuning=Tuning(rates=rates))


def test_limits_leave_the_counters_of_the_users_own_lines_to_these() -> None:
    own = b"http-request track-sc0 src table mine\nhttp-request track-sc2 src table mine\n"
    files = live(stack(limited(Rate(1, 60, 2))), {"frontend.cfg": own})
    assert b"http-request track-sc3 src,ipmask(32,64) table " in files["sites/a.example.com.cfg"]
    assert b"    tune.stick-counters 4\n" in files["haproxy.cfg"]


def test_the_counts_of_a_limit_keep_their_table_beside_a_new_one() -> None:
    def tables(of: Site) -> set[bytes]:
        return {
            *re.findall(
                rb"^backend (a\.example\.com:rate\S+)", live(stack(of))["sites/a.example.com.cfg"], re.MULTILINE
            )
        }

    one = limited(Rate(1, 60, 2))
    route = replace(one.routes[0], match=Match.of("/x"), tuning=Tuning(rates=(Rate(5, 1, 0),)))
    assert tables(one) < tables(replace(one, routes=(route, *one.routes)))


def test_what_is_about_each_of_many_sites_is_found_in_one_look_at_the_maps() -> None:
    found = stack(*(site(f"n{number}.example.com", f"www.n{number}.example.com") for number in range(200)))
    files = live(found)
    begin = time.process_time()
    for one in found.sites:
        assert b"\n".join(Haproxy().about(files, one.name).values()).count(b"www.") >= 2
    # A search of the map of sites for each row of the maps took 10 s.
    assert time.process_time() - begin < 3
