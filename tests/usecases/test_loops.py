"""An upstream that leads back to the proxy is refused by every command, in the same words."""

from __future__ import annotations

import pytest

from stackctl.errors import ExitCode, InputError, StackfileError
from stackctl.model.fields import Request
from stackctl.model.values import Domain
from stackctl.usecases.explain import explain
from tests.usecases.world import World, done


@pytest.fixture
def own(site: World) -> str:
    return next(address for address in sorted(site.network.own_addresses()) if address != "127.0.0.1")


@pytest.mark.parametrize("at", ["nginx:80", "{own}:80", "{own}:443", "one.example.com:443", "one.example.com:80"])
def test_add_app_refuses_a_loop(site: World, own: str, at: str) -> None:
    before = site.tree()
    with pytest.raises(InputError, match="would come back to") as refused:
        site.add("two.example.com", upstream=at.format(own=own))
    assert refused.value.field == "upstream"
    assert refused.value.hint
    assert site.tree() == before


def test_another_port_of_this_host_is_no_loop(site: World, own: str) -> None:
    site.fake.outside.add((own, 3000))
    done(site.add("two.example.com", upstream=f"{own}:3000"))
    assert site.rows()["two.example.com"]["health"] == "answers"


@pytest.mark.parametrize(
    "app",
    [
        "upstream: 'nginx:443'",
        "upstream: '{own}:80'",
        "upstream: '127.0.0.1:3000'",
        "upstream: '[::1]:3000'",
        "upstream: 'localhost.:3000'",
        "{{service: nginx, port: 80}}",
        "{{service: certbot, port: 80}}",
    ],
)
def test_a_file_written_by_hand_is_refused_by_every_command(site: World, own: str, app: str) -> None:
    keys = app.format(own=own).strip("{}").replace(", ", "\n      ")
    apps = f"x-stackctl:\n  apps:\n    - domains: [two.example.com]\n      {keys}\n"
    site.file.write_text(site.text.replace("x-stackctl:\n", apps, 1))
    before = site.tree()
    with pytest.raises(StackfileError) as up:
        site.up()
    assert (up.value.where or "").startswith("docker-compose.yml:")
    with pytest.raises(StackfileError) as explained:
        explain(site.host, Domain("two.example.com"), Request("GET", "/"))
    assert explained.value.message == up.value.message
    assert site.doctor()["host"]["compose-file"] == "wrong"
    assert site.diagnosis.found == ExitCode.FAILED
    assert site.tree() == before
