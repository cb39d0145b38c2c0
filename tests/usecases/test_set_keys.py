"""``set`` and ``unset``: single keys of a site, in the text of the Compose file."""

from __future__ import annotations

import pytest

from stackctl.errors import InputError, StackctlError, StackfileError
from stackctl.model.values import Domain
from stackctl.stackfile.settings import Change
from stackctl.usecases.result import Result
from stackctl.usecases.set_keys import set_keys
from tests.usecases.world import World, done

ONE = "one.example.com"


def change(world: World, *keys: str, name: str = ONE) -> Result[None]:
    changes = [Change(key, value if equals else None) for key, equals, value in (key.partition("=") for key in keys)]
    return set_keys(world.host, "set", Domain(name), changes)


def refused(world: World, *keys: str, name: str = ONE) -> StackctlError:
    before = world.tree()
    with pytest.raises(StackctlError) as caught:
        change(world, *keys, name=name)
    assert world.tree() == before
    return caught.value


def test_a_key_is_added_replaced_and_removed_again(site: World) -> None:
    before = site.text
    done(change(site, "read-timeout=60s"))
    assert site.text == before.replace("      port: 8000\n", "      port: 8000\n      read-timeout: 60s\n")
    assert "proxy_read_timeout 60s;" in site.live()[f"sites/{ONE}.conf"].decode()
    done(change(site, "read-timeout=2m", "body-size=1g"))
    assert "      read-timeout: 2m\n      body-size: 1g\n" in site.text
    done(change(site, "read-timeout", "body-size"))
    assert site.text == before
    assert not site.up().plan


def test_the_site_may_be_named_by_an_alias_and_be_one_of_the_list(stack: World) -> None:
    done(stack.add("far.example.com", "www.far.example.com", upstream="10.0.0.5:80"))
    done(change(stack, "upstream=https://10.0.0.5", "upstream-tls.verify=false", name="www.far.example.com"))
    assert 'upstream: "https://10.0.0.5"\n      upstream-tls:\n        verify: false\n' in stack.text
    assert "proxy_pass https://" in stack.live()["sites/far.example.com.conf"].decode()


def test_a_list_is_separated_by_commas_or_written_as_yaml(site: World) -> None:
    done(change(site, f"domains={ONE},www.{ONE}"))
    assert f"      domains:\n        - {ONE}\n        - www.{ONE}\n" in site.text
    assert site.served() == {ONE: "real"}
    done(change(site, f"domains=[{ONE}]"))
    assert f"      domains:\n        - {ONE}\n      port" in site.text


def test_what_is_not_set_is_no_error(site: World) -> None:
    before = site.text
    result = done(change(site, "body-size"))
    assert (site.text, result.notes) == (before, (f"{ONE} does not set body-size",))


@pytest.mark.parametrize(
    ("keys", "message", "where"),
    [
        (("body-sise=1m",), "no key 'body-sise'", "body-sise=1m"),
        (("upstream-tls.nam=a",), "no key 'upstream-tls.nam'", "upstream-tls.nam=a"),
        (("port.x=1",), "no key 'port.x'", "port.x=1"),
        (("port=abc",), "a whole number", "port=abc"),
        (("port=70000",), "<= 65535", "port=70000"),
        (("buffering=maybe",), "true or false", "buffering=maybe"),
        (("body-size=64x",), "'64x' is not a size", "body-size=64x"),
        (("body-size={a: b}",), "got a mapping", "body-size={a: b}"),
        (("body-size={a",), "not YAML", "body-size={a"),
        (("protocol=ftp",), "expected grpc, grpcs, h2c, http or https, got 'ftp'", "protocol=ftp"),
        (("domains=",), "domains", "domains="),
        (("domains=a b.example.com",), "is not a domain", "domains=a b.example.com"),
        (("upstream-tls.verify=false",), "HTTPS only", "upstream-tls.verify=false"),
        (("port",), "required field `port`", "port"),
        (("port=1", "port=2"), "given twice", "port=1"),
        (("protocol=https", "body-size=64x"), "is not a size", "body-size=64x"),
    ],
)
def test_a_wrong_key_or_value_is_named_as_it_was_given(
    site: World, keys: tuple[str, ...], message: str, where: str
) -> None:
    error = refused(site, *keys)
    assert isinstance(error, InputError)
    assert message in error.message
    assert error.where == where


def test_a_near_miss_has_a_suggestion(site: World) -> None:
    assert refused(site, "bodysize=1m").hint == "did you mean 'body-size'?"


def test_a_key_of_composes_is_told_where_it_belongs(site: World) -> None:
    hint = (
        "'deploy.replicas' is a key of Compose's: write it below the service itself, beside x-stackctl; 'up' applies it"
    )
    assert refused(site, "deploy.replicas=3").hint == hint
    site.edit("      port: 8000\n", "      port: 8000\n      deploy: {replicas: 3}\n")
    with pytest.raises(StackfileError) as error:
        site.up()
    assert error.value.hint == hint


def test_a_name_that_is_not_routed_is_refused(site: World) -> None:
    error = refused(site, "body-size=1m", name="two.example.com")
    assert "not routed" in error.message
    assert "add-app" in (error.hint or "")


def test_a_block_in_braces_is_changed_between_them(site: World) -> None:
    block = f"\n      domains:\n        - {ONE}\n      port: 8000\n"
    site.edit(block, f" {{domains: [{ONE}], port: 8000}}  # the shop\n")
    done(change(site, "body-size=1m", "deploy.drain=5s"))
    assert f'{{domains: [{ONE}], port: 8000, body-size: "1m", deploy: {{drain: "5s"}}}}  # the shop\n' in site.text
    done(change(site, "deploy.drain=6s", "deploy.timeout=9s"))
    assert 'deploy: {drain: "6s", timeout: "9s"}}  # the shop\n' in site.text
    done(change(site, "body-size", "deploy.drain", "deploy.timeout"))
    assert f"{{domains: [{ONE}], port: 8000}}  # the shop\n" in site.text
