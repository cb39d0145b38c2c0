"""Names that are only redirected are sites like any other; a canonical name is one of a site."""

from __future__ import annotations

import re

import pytest

from stackctl.errors import ExitCode, InputError, StackctlError
from stackctl.model.routing import Redirect
from stackctl.model.values import Domain
from stackctl.usecases.add_redirect import AddRedirect, add_redirect
from stackctl.usecases.result import Result
from tests.usecases.world import World, done

OLD = "old.example.com"
NEW = "https://new.example.org"


def redirect(world: World, old: str = OLD, *aliases: str, to: str = NEW, **more: bool) -> Result[None]:
    wanted = AddRedirect(Domain(old), Redirect(to, 308, keep_path=True), tuple(map(Domain, aliases)))
    return add_redirect(world.host, wanted, **more)


def refused(world: World, *names: str, to: str = NEW) -> StackctlError:
    before = world.tree()
    with pytest.raises(StackctlError) as caught:
        redirect(world, *names, to=to)
    assert world.tree() == before
    return caught.value


def test_a_redirect_is_added_with_its_certificate_and_removed_again(stack: World) -> None:
    before = stack.text
    done(redirect(stack, OLD, f"www.{OLD}"))
    assert f'  redirects:\n    - from:\n        - {OLD}\n        - www.{OLD}\n      to: "{NEW}"\n' in stack.text
    live = stack.live()
    assert live[f"sites/{OLD}.conf"].decode().count(f'return 308 "{NEW}${{request_uri}}";') == 2
    assert f"sites/{OLD}.redirect" not in live, "it would be a hop of its own"
    assert stack.served() == {OLD: "real"}
    assert not stack.up().plan
    assert not redirect(stack, OLD, f"www.{OLD}").plan
    done(stack.remove(OLD))
    assert (stack.text, stack.live()) == (before, {path: body for path, body in live.items() if OLD not in path})


def test_status_and_doctor_know_a_redirect(stack: World) -> None:
    done(redirect(stack))
    (row,) = stack.rows().values()
    assert (row["app"], row["served"]) == (OLD, "real")
    assert "wrong" not in stack.doctor()[OLD].values()


def test_a_redirect_is_shown_before_it_is_made(stack: World) -> None:
    before = stack.tree()
    result = redirect(stack, dry_run=True)
    assert next(operation.text for operation in result.plan.operations) == "write docker-compose.yml"
    assert stack.tree() == before


def test_what_cannot_be_redirected_is_refused(site: World) -> None:
    error = refused(site, "one.example.com")
    assert isinstance(error, InputError)
    assert "already belongs to a site" in error.message
    assert "given twice" in refused(site, OLD, OLD).message
    loop = refused(site, OLD, to=f"https://{OLD}")
    assert (loop.where, "redirected to itself" in loop.message) == ("NEW", True)
    done(redirect(site))
    assert f"already redirected to {NEW}" in refused(site, OLD, to="https://else.example.com").message


@pytest.mark.parametrize("name", [OLD, f"{OLD}/api", f"www.{OLD}/api"])
def test_an_app_under_a_redirected_name_is_refused_with_both_ways_out(name: str, stack: World) -> None:
    done(redirect(stack, OLD, f"www.{OLD}"))
    before = stack.tree()
    with pytest.raises(InputError) as caught:
        stack.add(name, service="one")
    path = name.partition("/")[2]
    assert caught.value.message == f"{name.partition('/')[0]} is redirected to {NEW}"
    assert caught.value.where == stack.line_of("- from:")
    assert f"'stackctl remove-app {OLD}'" in (caught.value.hint or "")
    assert f"'stackctl add-app new.example.org{f'/{path}' if path else ''}'" in (caught.value.hint or "")
    assert stack.tree() == before


def led(world: World, name: str = OLD) -> list[str]:
    """Where the live files lead from a name."""
    return re.findall(r'return 308 "(\S+?)\$', world.live()[f"sites/{name}.conf"].decode())


@pytest.mark.parametrize("together", [True, False])
def test_a_site_without_a_certificate_is_redirected_to_over_http_until_it_has_one(together: bool, site: World) -> None:
    target = f"https://{'new' if together else 'one'}.example.com"
    if together:
        site.fake.faults.issue["new.example.com"] = "dns"
        item = "\n  apps:\n    - {domains: [new.example.com], upstream: '10.0.0.5:80'}"
    else:
        site.edit("        - one.example.com\n", "        - one.example.com\n        - two.example.com\n")
        target = "https://two.example.com"
        site.fake.faults.issue["one.example.com"] = "dns"
        item = ""
    site.edit("\nx-stackctl:\n", f"\nx-stackctl:{item}\n  redirects:\n    - {{from: {OLD}, to: '{target}'}}\n")
    assert site.up().code is ExitCode.ISSUE_FAILED
    assert site.served()[OLD] == "real"
    assert set(led(site)) == {target.replace("https", "http")}
    site.fake.faults.issue.clear()
    done(site.up())
    assert set(led(site)) == {target}
    assert not site.up().plan


def test_both_certificates_are_issued_at_once(site: World) -> None:
    site.edit(
        "\nx-stackctl:\n",
        "\nx-stackctl:\n  apps:\n    - {domains: [new.example.com], upstream: '10.0.0.5:80'}\n"
        f"  redirects:\n    - {{from: {OLD}, to: 'https://new.example.com'}}\n",
    )
    done(site.up())
    assert set(led(site)) == {"https://new.example.com"}
    assert not site.up().plan


def test_a_canonical_name_takes_the_others_in_one_hop(site: World) -> None:
    site.edit(
        "        - one.example.com\n",
        "        - one.example.com\n        - www.one.example.com\n      canonical: one.example.com\n",
    )
    done(site.up())
    live = site.live()
    assert live["sites/one.example.com.redirect"] == b"server_name one.example.com;\n"
    conf = live["sites/one.example.com.conf"].decode()
    assert "server_name www.one.example.com;\n    include snippets/acme.conf;\n" in conf
    assert conf.count("return 308 https://one.example.com$request_uri;") == 2
    assert not site.up().plan


def test_a_canonical_name_without_a_certificate_leaves_the_site_on_https(site: World) -> None:
    site.fake.faults.issue["one.example.com"] = "dns"
    site.edit(
        "        - one.example.com\n",
        "        - one.example.com\n        - www.one.example.com\n        - new.example.com\n"
        "      canonical: new.example.com\n",
    )
    assert site.up().code is ExitCode.ISSUE_FAILED
    live = site.live()
    assert live["sites/one.example.com.redirect"] == b"server_name one.example.com;\n"
    conf = live["sites/one.example.com.conf"].decode()
    assert conf.count("return 308 http://new.example.com$request_uri;") == 1
    assert "server_name www.one.example.com;\n    include snippets/acme.conf;\n" in conf
    assert "https://new.example.com" not in conf

    site.fake.faults.issue.clear()
    done(site.up())
    live = site.live()
    assert live["sites/one.example.com.redirect"] == b"server_name new.example.com;\n"
    assert live["sites/one.example.com.conf"].decode().count("return 308 https://new.example.com$request_uri;") == 2
