"""Names of the next files in the live ones, where they get no request."""

from __future__ import annotations

import pytest

from stackctl.proxies.nginx.ahead import announced
from stackctl.proxies.nginx.pins import pinned
from stackctl.proxies.nginx.proxy import Nginx
from stackctl.proxies.proxy import SiteTls
from tests.unit.build import site, stack

PATH = "sites/a.example.com.conf"


def files(service: str, version: tuple[int, ...] = (1, 30, 6)) -> dict[str, bytes]:
    one = site("a.example.com", service=service)
    tls = {one.name: SiteTls("/c", "/k", frozenset(one.domains))}
    return dict(Nginx().render(stack(one), [one], tls, version, {}).sites[one.name])


def test_another_service_is_resolved_in_the_group_of_before() -> None:
    before, after = files("web"), files("next")
    text = announced(before, after)[PATH].decode()
    port = before[PATH].decode().partition("server web:")[2].partition(" ")[0]
    added = f"    server next:{port} resolve down;\n"
    assert f"    server web:{port} resolve;\n{added}" in text
    assert text.replace(added, "") == before[PATH].decode()
    assert announced({PATH: text.encode()}, after) == {PATH: text.encode()}, "it is not added twice"


def test_a_further_group_stands_there_unused() -> None:
    before = files("web")
    group = "upstream app_a.example.com_api_80 {\n    zone apps;\n    server api:80 backup resolve;\n}\n\n"
    text = announced(before, {PATH: group.encode() + before[PATH]})[PATH].decode()
    assert text == group + before[PATH].decode()
    static = group.replace("api:80 backup resolve", "10.0.0.1:80")
    assert announced(before, {PATH: static.encode() + before[PATH]}) == before


@pytest.mark.parametrize("service", ["web", "next"])
def test_nothing_is_done_for_what_needs_no_group_or_is_new(service: str) -> None:
    old = (1, 22, 1)
    assert announced(files("web", old), files(service, old)) == files("web", old)
    assert announced({}, files(service)) == {}
    assert announced(files("web"), files("web")) == files("web")


def test_a_deploy_that_has_not_ended_decides_alone() -> None:
    live = pinned(files("web"), {"web": {"10.0.0.2": {}}})
    assert announced(live, files("next")) == live
