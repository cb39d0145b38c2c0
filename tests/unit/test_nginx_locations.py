"""nginx: the locations, groups and maps of a site with several routes."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from stackctl.certs.held import held
from stackctl.certs.shelf import Shelf
from stackctl.errors import InputError
from stackctl.model.backends import Backend, Server, ServerTls
from stackctl.model.matching import Conditions, Match, PathKind, PathMatch
from stackctl.model.routing import Answer, Redirect, Route, Site
from stackctl.model.values import Domain, ServiceName
from stackctl.proxies.nginx.groups import group_names
from stackctl.proxies.nginx.proxy import Nginx
from stackctl.proxies.nginx.shared import shared_files
from stackctl.proxies.sites import Rendering, site_tls
from tests.unit.build import routed, stack

OLD, NEW = (1, 22, 1), (1, 30, 4)
NAME = "shop.example.com"
WEB = Backend((Server.of(ServiceName("web"), 8000),))
API = Backend((Server.of(ServiceName("api"), 3000),))
ALL = Route(Match(), WEB)


def conf(site: Site, version: tuple[int, ...] = NEW, custom: dict[str, bytes] | None = None) -> str:
    tls = {site.name: site_tls(site, held(site, Shelf()))}
    rendered = Rendering(Nginx(), version, custom or {}).render(stack(site), [site], tls)
    return rendered.sites[site.name][f"sites/{site.name}.conf"].decode()


def heads(text: str) -> list[str]:
    """The locations of the last server."""
    return re.findall(r"^    location (.*) \{$", text.rsplit("\nserver {", maxsplit=1)[-1], re.MULTILINE)


def exact(path: str) -> Match:
    return Match(Conditions((PathMatch(path, PathKind.EXACT),)))


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        ((ALL,), ["/"]),
        ((ALL, Route(Match.of("/a"), API)), ["/", "= /a", "^~ /a/"]),
        ((Route(Match.of("/a"), API),), ["= /a", "^~ /a/", "/"]),
        ((ALL, Route(exact("/a"), API)), ["= /a", "/"]),
        ((ALL, Route(exact("/a/"), API)), ["= /a/", "= /a", "/"]),
        ((ALL, Route(exact("/"), API)), ["= /", "/"]),
        ((Route(exact("/a"), API), Route(Match.of("/a"), WEB)), ["= /a", "^~ /a/", "/"]),
        ((Route(Match.of('/a b"$;{'), API),), [r'= "/a b\"$;{"', r'^~ "/a b\"$;{/"', "/"]),
        ((ALL, Route(Match(Conditions(methods=("PUT",))), API)), ["/", "@stackctl_1"]),
    ],
)
def test_a_path_has_a_location_for_itself_and_one_for_what_is_below(
    routes: tuple[Route, ...], expected: list[str]
) -> None:
    assert heads(conf(routed(NAME, *routes))) == expected


def test_a_path_without_an_owner_is_not_found_unless_the_user_has_a_location_for_it() -> None:
    site = routed(NAME, Route(Match.of("/a"), API))
    assert "    location / {\n        return 404;\n    }\n" in conf(site)
    assert heads(conf(site, custom={f"{NAME}.conf": b"location / { root /srv; }\n"})) == ["= /a", "^~ /a/"]


def test_the_users_directives_for_the_location_are_for_that_of_every_path() -> None:
    text = conf(
        routed(NAME, ALL, Route(Match.of("/a"), API)), custom={f"{NAME}.location.conf": b"proxy_buffering on;\n"}
    )
    (after,) = re.findall(rf"location / \{{[^}}]*include sites/{NAME}\.location;", text.split("\nserver {")[-1])
    assert "app_shop.example.com;" in after


def test_each_backend_has_a_group_of_its_own_name() -> None:
    upper = Backend((Server.of(ServiceName("API"), 3000),))
    site = routed(NAME, Route(Match.of("/a"), API), ALL, Route(Match.of("/b"), upper), Route(Match.of("/c"), API))
    assert dict(group_names(site)) == {
        WEB: f"app_{NAME}",
        API: f"app_{NAME}_api_3000",
        upper: f"app_{NAME}_api_3000_2",
    }
    assert conf(site).count("upstream ") == 3
    assert "upstream " not in conf(site, OLD).replace("# ", "")


def test_several_servers_share_a_group_and_need_an_nginx_that_resolves_them() -> None:
    both = Backend((*WEB.servers, *API.servers))
    site = routed(NAME, replace(ALL, action=both, where="docker-compose.yml:7"))
    assert "    server web:8000 resolve;\n    server api:3000 resolve;\n" in conf(site)
    with pytest.raises(InputError) as refused:
        conf(site, OLD)
    assert refused.value.where == "docker-compose.yml:7"


def test_each_file_of_root_certificates_has_a_copy_of_its_own() -> None:
    servers = [
        Server.of(ServiceName(name), 443, ServerTls(ca=ca))
        for name, ca in (("a", "one.ca.pem"), ("b", "two.ca.pem"), ("c", "one.ca.pem"))
    ]
    site = routed(NAME, *(Route(Match.of(f"/{one.endpoint.host}"), Backend((one,))) for one in servers))
    custom = {"one.ca.pem": b"1", "two.ca.pem": b"2"}
    tls = {site.name: site_tls(site, held(site, Shelf()))}
    files = Rendering(Nginx(), NEW, custom).render(stack(site), [site], tls).sites[site.name]
    assert (files[f"sites/{NAME}.ca"], files[f"sites/{NAME}.ca2"]) == (b"1", b"2")
    text = files[f"sites/{NAME}.conf"].decode()
    assert text.count(f"sites/{NAME}.ca;") == 2 * text.count(f"sites/{NAME}.ca2;")
    assert Nginx().sites_in(files) == {NAME}


def test_a_text_is_one_parameter_whatever_it_has() -> None:
    long = "$" * 2000
    text = conf(routed(NAME, Route(Match.of("/"), Answer(200, long)), Route(Match.of("/a"), Redirect("/b?$x"))))
    assert max(map(len, text.splitlines())) < 4096
    assert "".join(re.findall(r'    default "(\$+)";', text)) == long
    assert 'default "/b?$x";' in text


def test_a_thousand_rules_are_maps_that_nginx_can_follow() -> None:
    rules = [Route(Match(Conditions((PathMatch(f"/r{number}"),), ("GET",))), API) for number in range(1000)]
    text = conf(routed(NAME, ALL, *rules))
    maps = re.findall(r"^map ", text, re.MULTILINE)
    assert len(maps) < 90
    assert heads(text) == ["/", "@stackctl_1"]


def test_a_rule_with_many_values_has_room() -> None:
    paths = tuple(PathMatch(f"/{'x' * 400}{number}") for number in range(200))
    text = conf(routed(NAME, ALL, Route(Match(Conditions(paths)), API, priority=1)))
    assert max(map(len, text.splitlines())) < 4096


def test_rows_of_names_grow_only_where_a_site_has_variables() -> None:
    plain = shared_files(stack(routed(NAME, ALL)), NEW, custom=None)["nginx.conf"]
    ruled = routed(NAME, ALL, Route(Match.of("/a"), API, strip=True))
    assert b"variables_hash" not in plain
    assert b"variables_hash_bucket_size 256;" in shared_files(stack(ruled), NEW, custom=None)["nginx.conf"]


@pytest.mark.parametrize(
    "name", ["a.example.com", "xn--mnchen-3ya.example.com", f"{'1' * 60}.{'2' * 60}.{'3' * 60}.example"]
)
def test_names_of_variables_fit_for_any_domain(name: str) -> None:
    site = routed(Domain(name), ALL, Route(Match.of("/a"), API, strip=True))
    variables = set(re.findall(r"\$(site_\w+)", conf(site)))
    assert variables
    assert max(map(len, variables)) <= 46
