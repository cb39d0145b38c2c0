"""The sites of stackctl's own HAProxy files are read back as they were."""

from __future__ import annotations

import pytest

from stackctl.adopt.haproxy.own import names_of, read_own
from stackctl.adopt.proposal import ProposedSite
from stackctl.stackfile.services import render_entry
from tests.unit.haproxy_goldens import NEWEST, cases, rendered


def read_back(name: str) -> dict[str, ProposedSite]:
    case = cases()[name]
    files = rendered(case, NEWEST)
    assert set(names_of(files)) == {name for site in case.stack.sites for name in site.domains}
    hosts = {str(one.service): str(one.service) for site in case.stack.sites for one in site.servers if one.service}
    return {site.name: site for site in read_own(files, hosts)}


@pytest.mark.parametrize("name", ["issued", "alias_not_covered", "custom", "http3"])
def test_a_site_of_one_service_is_read_back(name: str) -> None:
    site = read_back(name)["a.example.com"]
    assert (site.domains[0], str(site.server), site.lineage, site.tuning) == (
        "a.example.com",
        "web:8000",
        "a.example.com",
        {},
    )


@pytest.mark.parametrize(
    ("name", "site", "keys"),
    [
        ("servers", "random.example.com",
         ['upstreams:\n  - {address: "192.0.2.11:8080", weight: 256}\n  - {address: "192.0.2.12:8080"}',
          'balance: "random"']),
        ("servers", "cookie.example.com",
         ['upstreams:\n  - {address: "192.0.2.11:8080"}\n  - {address: "192.0.2.12:8080"}', 'balance: "hash"',
          'hash: "cookie:group"']),
        ("sticky", "a.example.com", ['balance: "least-conn"', 'sticky: {cookie: "srv"}']),
        ("health_of_addresses", "b.example.com",
         ['health: {path: "/up?a=1", status: "200-299,401", interval: "4s", timeout: "1500ms", rise: 1, fall: 2}']),
        ("grpc", "b.example.com",
         ['protocol: "https"', 'upstream-tls: {name: "api"}',
          'routes:\n  - {path: "/page", service: "web", port: 8000}']),
    ],
)  # fmt: skip
def test_keys_are_read_back(name: str, site: str, keys: list[str]) -> None:
    found = read_back(name)[site]
    assert [render_entry(key, value).strip() for key, value in found.tuning.items()] == keys


@pytest.mark.parametrize("name", ["answers", "rules", "canary"])
def test_what_files_do_not_say_is_left_out(name: str) -> None:
    assert read_back(name) == {}


def test_files_that_are_damaged_have_no_site() -> None:
    files = {"maps/sites.map": b"a.example.com a.example.com\nalone\n", "sites/a.example.com.cfg": b"backend\n\xff"}
    assert read_own(files, {}) == ()
    assert names_of({}) == ()
