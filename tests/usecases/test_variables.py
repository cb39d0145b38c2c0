"""Variables in ``x-stackctl``: they have the values that Compose gives them, in every command."""

from __future__ import annotations

import json

import pytest

from stackctl.errors import InputError, StackfileError
from stackctl.usecases.init import InitOptions
from tests.usecases.world import World, done

FILE = """\
# One file for each host.
x-stackctl:
  email: "ops@${DOMAIN}"
  agree-tos: true
  apps:
    - domains: ["api.${DOMAIN}"]
      upstream: 10.0.0.1:${API_PORT:-9000}
services:
  one:
    image: one:latest
    x-stackctl:
      domains:
        - ${DOMAIN}
        - "www.${DOMAIN}"
      port: "${PORT}"
"""


@pytest.fixture
def host(world: World) -> World:
    (world.root / "docker-compose.yml").write_text(FILE)
    (world.root / ".env").write_text("DOMAIN=staging.example.com\nPORT=8000\n")
    world.fake.outside = {("10.0.0.1", 9000), ("10.0.0.1", 9100)}
    done(world.init(InitOptions(agree_tos=True)))
    return world


def names(world: World) -> list[str]:
    return sorted(world.rows())


def test_a_site_has_the_names_that_its_variables_give(host: World) -> None:
    assert names(host) == ["api.staging.example.com", "staging.example.com"]
    assert set(host.served().values()) == {"real"}
    assert not host.up().plan
    assert host.text.startswith(FILE[: FILE.index("services:")]), "the text keeps its variables"


def test_a_change_of_dot_env_is_planned(host: World) -> None:
    (host.root / ".env").write_text("DOMAIN=shop.example.com\nPORT=8000\n")
    shown = {operation.text for operation in host.up(dry_run=True).plan.operations}
    assert "issue a certificate for shop.example.com, www.shop.example.com" in shown
    done(host.up())
    assert names(host) == ["api.shop.example.com", "shop.example.com"]
    assert set(host.served().values()) == {"real"}
    (host.root / ".env").write_text("DOMAIN=shop.example.com\nPORT=8000\nAPI_PORT=9100\n")
    done(host.up())
    assert b"10.0.0.1:9100" in host.live()["sites/api.shop.example.com.conf"]


def test_a_variable_that_is_not_set_is_an_error_with_its_line(host: World) -> None:
    (host.root / ".env").write_text("PORT=8000\n")
    before = host.tree()
    with pytest.raises(StackfileError) as refused:
        host.up()
    assert refused.value.where == "docker-compose.yml:3"
    assert (
        refused.value.hint
        == "it is written as ops@${DOMAIN}: set its variables in .env or in the environment, or write $$ for a $"
    )
    assert host.tree() == before


def test_a_site_is_added_next_to_variables(host: World) -> None:
    done(host.add("two.example.com"))
    assert "two.example.com" in names(host)
    assert "${DOMAIN}" in host.text
    with pytest.raises(InputError, match="already routed by the site staging"):
        host.add("three.example.com", "www.staging.example.com")
    assert not host.add("staging.example.com").plan, "it is there already"


def test_a_site_whose_name_is_a_variable_is_removed_and_reported(host: World) -> None:
    where = host.line_of('- domains: ["api.${DOMAIN}"]')
    result = done(host.remove("api.staging.example.com"))
    assert (
        f"{where}: the site is removed for every value of api.${{DOMAIN}}: other hosts may use this file too"
        in result.notes
    )
    assert "api." not in host.text
    result = done(host.remove("staging.example.com"))
    assert any("every value of ${DOMAIN}" in note for note in result.notes)
    assert names(host) == []
    assert "  one:\n    image: one:latest\n" in host.text, "the service is the user's"


def test_init_compares_the_values(host: World) -> None:
    assert not host.init(InitOptions(email="ops@staging.example.com", agree_tos=True)).plan
    with pytest.raises(InputError, match='email is already set to "ops@staging'):
        host.init(InitOptions(email="other@example.com"))


def test_doctor_renew_and_a_damaged_value(host: World) -> None:
    assert {row.name for row in host.renew().payload.sites} == {"api.staging.example.com", "staging.example.com"}
    assert "staging.example.com" in host.doctor()
    (host.root / ".env").write_text("DOMAIN=-\nPORT=8000\n")
    found = json.dumps(host.doctor())
    assert "wrong" in found


@pytest.mark.parametrize("include", ["[$PARTS/web.yml]", '[{path: ["${PARTS:-none}/web.yml"], env_file: one.env}]'])
def test_keys_of_an_included_file_are_refused_although_its_path_has_a_variable(host: World, include: str) -> None:
    (host.root / "parts").mkdir()
    (host.root / "parts/web.yml").write_text("services:\n  web:\n    image: web\n    x-stackctl: {port: 80}\n")
    (host.root / ".env").write_text("DOMAIN=staging.example.com\nPORT=8000\nPARTS=parts\n")
    host.file.write_text(f"include: {include}\n{host.text}")
    with pytest.raises(StackfileError, match=r"x-stackctl is only read from docker-compose\.yml") as caught:
        host.up()
    assert caught.value.where == "parts/web.yml:4"
    (host.root / "parts/web.yml").write_text("services:\n  web:\n    image: web\n")
    assert not host.up().plan
