"""A password file that the proxy's workers cannot read is a 500 for every visitor."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackctl.proxies.nginx.proxy import Nginx
from tests.cli.conftest import Cli, on
from tests.usecases.world import World, done, without_waiting

SITE = 'auth_basic "members";\nauth_basic_user_file /etc/nginx/custom/users.htpasswd;\n'


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    without_waiting(monkeypatch)
    world = World(tmp_path / "stack")
    done(world.init())
    done(world.add("one.example.com"))
    world.custom("one.example.com.conf", SITE)
    world.custom("users.htpasswd", "ops:$apr1$x")
    return on(world, monkeypatch)


def test_up_and_doctor_report_it_with_the_mode_to_set(cli: Cli) -> None:
    file = cli.world.root / "nginx/custom/users.htpasswd"
    expected = "nginx/custom/users.htpasswd has mode 0600, so that the proxy cannot read it and answers 500"
    file.chmod(0o600)
    assert f"· {expected}: chmod 644 nginx/custom/users.htpasswd\n" in cli("up").stdout
    result = cli("doctor")
    assert result.exit_code == 1
    assert expected in result.stdout
    assert "chmod 644 nginx/custom/users.htpasswd" in result.stdout
    file.chmod(0o644)
    assert "users.htpasswd" not in cli("up").stdout + cli("doctor").stdout


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (SITE, ("users.htpasswd",)),
        ('location /x { }\n  auth_basic_user_file "/etc/nginx/custom/a" ;', ("a",)),
        ("# auth_basic_user_file /etc/nginx/custom/a;", ()),
        ("auth_basic_user_file /run/secrets/a;", ()),
    ],
)
def test_the_files_that_nginx_opens_for_each_request(text: str, names: tuple[str, ...]) -> None:
    assert Nginx().read_by_workers({"one.conf": text.encode()}) == names
