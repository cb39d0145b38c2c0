"""Several apps under one name: added, shown, removed and taken back, path by path."""

from __future__ import annotations

from typing import Any

import pytest

from stackctl.errors import ExitCode, InputError, StackctlError, StackfileError
from stackctl.plan.certificates import Issue
from tests.usecases.world import World, done

SITE = "one.example.com"


def routes(world: World, name: str = SITE) -> dict[str, str]:
    """The targets of a site by their paths."""
    return {row["match"]: row["target"] for row in world.rows()[name]["routes"]}


def running(world: World) -> set[str]:
    return {str(run.service.name) for run in world.fake.runs.values()} - {"nginx", "certbot"}


def refused(world: World, call: Any) -> StackctlError:
    before = world.tree()
    with pytest.raises(StackctlError) as caught:
        call()
    assert world.tree() == before
    return caught.value


@pytest.fixture
def shared(site: World) -> World:
    """A site with an app for every path and one for ``/api``."""
    done(site.add(f"{SITE}/api", service="two", strip=True))
    return site


def test_an_app_gets_a_path_of_a_site_that_is_there(site: World) -> None:
    issued = list(site.fake.ca.issued)
    done(site.add(f"{SITE}/api/", service="two", strip=True))
    assert routes(site) == {"/": "one:8000", "/api": "two:3000"}
    assert "      path: /api\n      strip: true\n      port: 3000\n" in site.text
    assert site.fake.ca.issued == issued, "the name has a certificate"
    assert site.served() == {SITE: "real"}
    assert not done(site.up()).plan


def test_the_last_part_of_the_path_names_the_service(stack: World) -> None:
    done(stack.add("one.example.com"))
    done(stack.add("one.example.com/v1/two"))
    assert routes(stack) == {"/": "one:8000", "/v1/two": "two:3000"}


def test_a_path_that_names_no_service_needs_one(site: World) -> None:
    error = refused(site, lambda: site.add(f"{SITE}/~user"))
    assert (error.code, isinstance(error, InputError) and error.field) == (ExitCode.INPUT, "service")


def test_a_path_of_a_name_that_is_not_there_makes_a_site(stack: World) -> None:
    result = done(stack.add("shop.example.com/api", service="two"))
    assert routes(stack, "shop.example.com") == {"/api": "two:3000"}
    assert stack.served() == {"shop.example.com": "real"}
    (note,) = result.notes
    assert "has no app for its other paths: they answer 404" in note
    done(stack.add("shop.example.com", service="one"))
    assert routes(stack, "shop.example.com") == {"/": "one:8000", "/api": "two:3000"}
    assert len(stack.fake.ca.issued) == 1


def test_the_app_for_every_path_gets_all_names(stack: World) -> None:
    done(stack.add("shop.example.com/api", "www.example.com", service="two"))
    done(stack.add("shop.example.com", service="one"))
    assert stack.rows()["shop.example.com"]["aliases"] == ["www.example.com"]
    assert len(stack.fake.ca.issued) == 1


def test_a_path_may_be_added_by_an_alias(stack: World) -> None:
    done(stack.add(SITE, "www.example.com"))
    done(stack.add("www.example.com/api", service="two"))
    assert routes(stack) == {"/": "one:8000", "/api": "two:3000"}


def test_something_outside_compose_gets_a_path(site: World) -> None:
    site.fake.outside.add(("10.0.0.5", 8080))
    done(site.add(f"{SITE}/legacy", upstream="10.0.0.5:8080"))
    assert routes(site) == {"/": "one:8000", "/legacy": "10.0.0.5:8080"}


def test_one_service_may_have_several_paths(shared: World) -> None:
    done(shared.add(f"{SITE}/v2", service="two"))
    assert routes(shared) == {"/v2": "two:3000", "/": "one:8000", "/api": "two:3000"}
    assert sum(run.service.name == "two" for run in shared.fake.runs.values()) == 1


@pytest.mark.parametrize("options", [{}, {"service": "two"}, {"service": "two", "strip": True, "port": 3000}])
def test_the_same_again_changes_nothing(shared: World, options: dict[str, Any]) -> None:
    before = shared.tree()
    result = done(shared.add(f"{SITE}/api/", **options))
    assert (result.changed, shared.tree()) == (False, before)


@pytest.mark.parametrize(
    ("path", "options", "message"),
    [
        ("/api", {"service": "three"}, f"{SITE}/api is already routed with service two, not three"),
        ("/api", {"port": 1}, f"{SITE}/api is already routed with port 3000, not 1"),
        ("/api", {"upstream": "10.0.0.5:80"}, f"{SITE}/api is already routed with upstream two:3000, not 10.0.0.5:80"),
        ("", {"strip": True}, "needs the path that it removes"),
    ],
)
def test_other_options_are_refused(shared: World, path: str, options: dict[str, Any], message: str) -> None:
    error = refused(shared, lambda: shared.add(SITE + path, **options))
    assert (error.code, error.message) == (ExitCode.INPUT, message)


def test_an_unstripped_path_is_not_stripped_by_the_way(site: World) -> None:
    done(site.add(f"{SITE}/api", service="two"))
    error = refused(site, lambda: site.add(f"{SITE}/api", strip=True))
    assert error.hint == "add 'strip: true' there and run 'stackctl up'"


def test_an_alias_of_a_path_must_be_a_name_of_the_site(site: World) -> None:
    error = refused(site, lambda: site.add(f"{SITE}/api", "www.example.com", service="two"))
    assert f"is not a name of the site {SITE}" in error.message


def test_a_dry_run_changes_nothing(site: World) -> None:
    before = site.tree()
    result = site.add(f"{SITE}/api", service="two", dry_run=True)
    assert [type(one).__name__ for one in result.plan.operations].count("Publish") == 1
    assert not any(isinstance(one, Issue) for one in result.plan.operations)
    assert site.tree() == before


def test_a_path_is_removed_with_the_service_that_was_made_for_it(shared: World) -> None:
    text = shared.text
    done(shared.remove(f"{SITE}/api/"))
    assert routes(shared) == {"/": "one:8000"}
    assert running(shared) == {"one"}
    assert shared.served() == {SITE: "real"}
    assert not done(shared.up()).plan
    done(shared.rollback())
    assert shared.text == text
    assert routes(shared) == {"/": "one:8000", "/api": "two:3000"}


def test_a_service_stays_while_another_path_needs_it(shared: World) -> None:
    done(shared.add(f"{SITE}/v2", service="two"))
    result = done(shared.remove(f"{SITE}/api"))
    assert routes(shared) == {"/": "one:8000", "/v2": "two:3000"}
    assert running(shared) == {"one", "two"}
    assert result.notes == ("the service two keeps running, for one.example.com",)
    done(shared.remove(f"{SITE}/v2"))
    assert "apps:" not in shared.text


def test_a_name_that_several_apps_share_is_removed_path_by_path(shared: World) -> None:
    error = refused(shared, lambda: shared.remove(SITE))
    at = [block_with(shared, text) for text in ("port: 8000", "path: /api")]
    assert error.message == f"several apps share {SITE}: / at {at[0]}, /api at {at[1]}"
    assert error.hint == f"remove them by their paths: 'stackctl remove-app {SITE}/api'"
    done(shared.remove(f"{SITE}/"))
    assert routes(shared) == {"/api": "two:3000"}
    assert shared.served() == {SITE: "real"}
    assert running(shared) == {"two"}
    done(shared.remove(f"{SITE}/api"))
    assert shared.rows() == {}
    assert running(shared) == set()


def block_with(world: World, text: str) -> str:
    """The place of the block that contains ``text``."""
    lines = world.text.splitlines()
    at = next(number for number, line in enumerate(lines) if text in line)
    while "x-stackctl" not in lines[at]:
        at -= 1
    return f"docker-compose.yml:{at + 1}"


def test_the_last_path_takes_the_site_with_it(stack: World) -> None:
    done(stack.add("shop.example.com/api", service="two"))
    result = done(stack.remove("shop.example.com/api", delete_cert=True))
    assert result.notes == ()
    assert stack.served() == {}
    assert not (stack.root / "data/certbot/conf/live/shop.example.com").exists()


def test_a_site_keeps_its_certificate_while_it_has_paths(shared: World) -> None:
    error = refused(shared, lambda: shared.remove(f"{SITE}/api", delete_cert=True))
    assert isinstance(error, InputError)
    assert error.field == "delete_cert"


@pytest.mark.parametrize("name", [f"{SITE}/nope", f"{SITE}/ap", "other.example.com/api"])
def test_what_is_not_routed_is_said(shared: World, name: str) -> None:
    before = shared.tree()
    result = done(shared.remove(name))
    assert result.notes == (f"{name} is not routed",)
    assert shared.tree() == before


LISTED = """\
  web:
    image: one:latest
    x-stackctl:
      domains: [one.example.com]
      port: 8000
      routes:
        - path: [/a, "/b c", /d]
          read-timeout: 9s
        - match:
            path:
              - /old
              - /older
          redirect: https://new.example.com/
        - path: /gone
          deny: all
"""


def test_a_path_of_a_list_is_removed_alone(stack: World) -> None:
    stack.file.write_text(stack.text.rstrip("\n") + "\n" + LISTED)
    done(stack.up())
    for path in ("/a", "/old", "/gone"):
        done(stack.remove(SITE + path))
    assert '        - path:\n            - "/b c"\n            - /d\n          read-timeout: 9s\n' in stack.text
    assert "            path: /older\n" in stack.text
    assert "/gone" not in stack.text
    done(stack.remove(f"{SITE}/d"))
    assert '        - path: "/b c"\n' in stack.text
    assert set(routes(stack)) == {"/", "/b c", "/older"}


def test_a_block_with_other_routes_is_not_removed_for_its_path(stack: World) -> None:
    stack.file.write_text(stack.text.rstrip("\n") + "\n" + LISTED)
    done(stack.up())
    error = refused(stack, lambda: stack.remove(f"{SITE}/"))
    assert "has 'routes' too, such as the one at docker-compose.yml:" in error.message
    done(stack.remove(SITE))
    assert stack.rows() == {}


def test_what_cannot_be_edited_by_lines_is_refused(stack: World) -> None:
    stack.file.write_text(
        stack.text.rstrip("\n")
        + "\n"
        + LISTED.replace("        - path: /gone\n          deny: all\n", "        - {path: [/x, /y], deny: all}\n")
    )
    done(stack.up())
    assert isinstance(refused(stack, lambda: stack.remove(f"{SITE}/x")), StackfileError)


def test_a_redirected_name_is_removed_as_a_site(stack: World) -> None:
    redirects = "x-stackctl:\n  redirects:\n    - from: [old.example.com]\n      to: https://a.b\n"
    stack.file.write_text(stack.text.replace("x-stackctl:\n", redirects, 1))
    done(stack.up())
    assert "is redirected to" in refused(stack, lambda: stack.add("old.example.com/x", service="two")).message
    assert done(stack.remove("old.example.com/x")).notes == ("old.example.com/x is not routed",)
    done(stack.remove("old.example.com"))
    assert "redirects" not in stack.text
    assert stack.served() == {}


def routed(world: World) -> str:
    """The live files of the site."""
    return world.live()[f"sites/{SITE}.conf"].decode()


def test_an_app_that_cannot_start_gets_no_path(site: World) -> None:
    site.fake.faults.exits.add("two")
    result = site.add(f"{SITE}/api", service="two")
    assert result.code is ExitCode.ENGINE
    assert "two:3000" not in routed(site)
    site.fake.faults.exits.clear()
    done(site.up())
    assert "two:3000" in routed(site)


def test_a_dead_app_of_one_path_holds_up_no_other(shared: World) -> None:
    shared.fake.runs = {number: run for number, run in shared.fake.runs.items() if run.service.name != "two"}
    shared.fake.faults.exits.add("two")
    result = shared.add(f"{SITE}/v3", service="three", port=8000)
    assert result.code is ExitCode.ENGINE
    assert all("service two" in str(error) for error in result.errors)
    assert "three:8000" in routed(shared)


def test_names_of_the_app_for_every_path_go_with_it(stack: World) -> None:
    done(stack.add(SITE, "www.example.com"))
    done(stack.add(f"{SITE}/api", service="two"))
    result = done(stack.remove(f"{SITE}/"))
    assert "no other app has the name www.example.com: it is no longer routed" in result.notes
    assert stack.served() == {SITE: "real"}
    assert (stack.rows()[SITE]["aliases"], routes(stack)) == ([], {"/api": "two:3000"})


def test_a_site_falls_apart_without_the_app_that_joined_it(stack: World) -> None:
    block = "  {0}:\n    image: {0}:latest\n    x-stackctl:\n      domains: [{1}]\n      path: /{0}\n      port: {2}\n"
    names = (
        ("one", "a.example.com", 8000),
        ("two", "a.example.com, b.example.com", 3000),
        ("three", "b.example.com", 8000),
    )
    stack.file.write_text(stack.text.rstrip("\n") + "\n" + "".join(block.format(*one) for one in names))
    done(stack.up())
    assert set(stack.rows()) == {"a.example.com"}
    done(stack.remove("b.example.com/two"))
    assert stack.served() == {"a.example.com": "real", "b.example.com": "real"}
    assert not done(stack.up()).plan


def test_a_path_that_the_proxy_answers_is_not_given_to_an_app(stack: World) -> None:
    apps = (
        "x-stackctl:\n  apps:\n    - domains: [one.example.com]\n      routes: [{path: /, redirect: 'https://a.b/'}]\n"
    )
    stack.file.write_text(stack.text.replace("x-stackctl:\n", apps, 1))
    done(stack.up())
    error = refused(stack, lambda: stack.add(SITE, service="one"))
    assert error.message == f"{SITE} already has a route, by which the proxy itself answers: 308 to https://a.b/"
    done(stack.add(f"{SITE}/api", service="two"))
    assert routes(stack) == {"/": "308 to https://a.b/", "/api": "two:3000"}
