"""What governs the unattended renewals is what the Compose file declares, and 'plan' says what differs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from stackctl.errors import ExitCode
from stackctl.plan.certificates import AlignSettings, DisableHook, RefuseIssue
from stackctl.usecases.renew import renew
from tests.usecases.world import OPTIONS, World, done

ONE, TWO = "one.example.com", "two.example.com"
CONF = "data/certbot/conf"


@pytest.fixture
def world(two: World) -> World:
    assert not two.up(dry_run=True).plan
    return two


def renewal(world: World, name: str = ONE) -> Path:
    return world.root / CONF / f"renewal/{name}.conf"


def texts(world: World) -> list[str]:
    return [operation.text for operation in done(world.up(dry_run=True)).plan.operations]


def hook(world: World, path: str) -> Path:
    at = world.root / CONF / "renewal-hooks" / path
    at.parent.mkdir(parents=True)
    at.write_text("#!/bin/sh\nsystemctl reload nginx\n")
    at.chmod(0o755)
    return at


def _ini(world: World) -> None:
    (world.root / CONF / "cli.ini").write_text("pre-hook = systemctl stop nginx\nauthenticator = standalone\n")


def _deploy_hook(world: World) -> None:
    hook(world, "deploy/reload.sh")


def _setting(line: str) -> Callable[[World], None]:
    def write(world: World) -> None:
        text = renewal(world).read_text()
        key = line.partition(" =")[0]
        without = re.sub(rf"(?m)^{key} = .*\n", "", text)
        if key == "renew_before_expiry":
            renewal(world).write_text(f"{line}\n{text}")
        else:
            renewal(world).write_text(without.replace("[renewalparams]\n", f"[renewalparams]\n{line}\n"))

    return write


def _edit(old: str, new: str) -> Callable[[World], None]:
    return lambda world: world.edit(old, new)


def _accounts(world: World) -> None:
    home = world.root / CONF / "accounts/acme-v02.api.letsencrypt.org/directory"
    for name in ("regr.json", "meta.json", "private_key.json"):
        (home / "second").mkdir(exist_ok=True)
        (home / "second" / name).write_text("{}")
    (home / "second/private_key.json").chmod(0o600)
    renewal(world).write_text(renewal(world).read_text().replace("account = fake\n", ""))


CASES: dict[str, tuple[Callable[[World], None], str]] = {
    "cli.ini": (_ini, "change cli.ini: 'pre-hook = systemctl stop nginx' is disabled; 'authenticator = standalone' is"),
    "hook": (_deploy_hook, "rename renewal-hooks/deploy/reload.sh to renewal-hooks/deploy/reload.sh~"),
    "standalone": (_setting("authenticator = standalone"), "authenticator standalone is changed to webroot"),
    "webroot": (_setting("webroot_path = /var/www/html,"), "authenticator webroot is changed to webroot"),
    "each round": (_setting("renew_before_expiry = 90 days"), "renew_before_expiry is removed: 90 days"),
    "never": (_setting("autorenew = False"), "autorenew is removed: False"),
    "renewal hook": (_setting("pre_hook = systemctl stop nginx"), "pre_hook is removed: systemctl stop nginx"),
    "key type": (_edit("  agree-tos: true", "  agree-tos: true\n  key-type: rsa"), "key_type ecdsa is changed to rsa"),
    "profile": (
        _edit("  agree-tos: true", "  agree-tos: true\n  profile: shortlived"),
        "preferred_profile none is changed to shortlived",
    ),
    "account": (_accounts, "account none is changed to fake"),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_planned_brought_in_line_and_then_nothing_is_to_do(world: World, case: str) -> None:
    breaks, change = CASES[case]
    before = world.served()
    breaks(world)
    assert any(change in text for text in texts(world)), texts(world)
    if "agree" not in change and case not in {"key type", "profile"}:
        found = world.doctor()["certificates"]
        assert "wrong" in {found["renewal-settings"], found["cert-renewal"]}

    done(world.up())
    assert not world.up().plan
    found = world.doctor()["certificates"]
    assert (found["renewal-settings"], found["cert-renewal"]) == ("ok", "ok")
    assert world.served() == before
    assert world.asked("issue") == [f"issue {ONE}", f"issue {TWO}"], "no certificate is requested for it"


def test_a_command_about_one_site_leaves_the_settings_of_others(world: World) -> None:
    _setting("autorenew = False")(world)
    done(world.add("three.example.com"))
    assert "autorenew = False" in renewal(world).read_text()


def test_a_certificate_by_a_dns_plugin_is_not_touched(world: World) -> None:
    text = renewal(world).read_text().replace("= webroot", "= dns-cloudflare") + "renew_hook = /root/copy.sh\n"
    renewal(world).write_text(text)
    world.edit("  agree-tos: true", "  agree-tos: true\n  key-type: rsa")
    done(world.up())
    assert renewal(world).read_text() == text
    assert "key_type = rsa" in renewal(world, TWO).read_text()
    assert world.doctor()["certificates"]["cert-renewal"] == "ok"


def test_hooks_stay_if_the_compose_file_says_so(world: World) -> None:
    kept = hook(world, "deploy/mail.sh")
    (world.root / CONF / "cli.ini").write_text("deploy-hook = /root/copy.sh\nserver = https://ca.test/\n")
    world.edit("  agree-tos: true", "  agree-tos: true\n  certbot-hooks: true")
    result = done(world.up())
    assert [type(one) for one in result.plan.operations if isinstance(one, AlignSettings | DisableHook)] == [
        AlignSettings
    ]
    assert kept.is_file()
    assert (
        (world.root / CONF / "cli.ini").read_text().startswith("deploy-hook = /root/copy.sh\n# disabled by stackctl:")
    )
    assert world.doctor()["certificates"]["renewal-settings"] == "ok"


def test_a_file_that_is_changed_meanwhile_is_not_overwritten(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    _ini(world)
    real = world.fake.stream

    def stream(service: str, command: Sequence[str], stdin: str) -> Iterator[str]:
        (world.root / CONF / "cli.ini").write_text("# of another process\n")
        yield from real(service, command, stdin)

    monkeypatch.setattr(world.fake, "stream", stream)
    result = world.up()
    assert result.code == ExitCode.ENGINE
    assert "data/certbot/conf/cli.ini: not changed" in str(result.errors[0])
    assert (world.root / CONF / "cli.ini").read_text() == "# of another process\n"
    assert world.served() == {ONE: "real", TWO: "real"}


def test_the_account_in_use_is_passed_where_certbot_is_called(world: World) -> None:
    _accounts(world)
    done(world.up())
    done(world.add("three.example.com"))
    assert "account = fake\n" in renewal(world, "three.example.com").read_text()
    home = world.root / CONF / "accounts/acme-v02.api.letsencrypt.org/directory"
    assert sorted(path.name for path in home.iterdir()) == ["fake", "second"]


def test_a_profile_that_the_ca_would_refuse_is_not_written(tmp_path: Path) -> None:
    made = World(tmp_path / "stack")
    done(made.init())
    names = [f"a{number}.example.com" for number in range(31)]
    done(made.add(names[0], *names[1:], image="one:latest", port=8000))
    made.edit("  agree-tos: true", "  agree-tos: true\n  profile: shortlived")
    result = made.up()
    assert [type(one) for one in result.plan.operations] == [RefuseIssue]
    assert result.code == ExitCode.ISSUE_FAILED
    assert "31 names are too many for one certificate: Let's Encrypt allows 25" in str(result.errors[0])
    assert "shortlived" not in renewal(made, names[0]).read_text()
    assert made.served() == {names[0]: "real"}


def test_a_private_ca_takes_the_profile(tmp_path: Path) -> None:
    made = World(tmp_path / "stack")
    done(made.init(replace(OPTIONS, ca="https://ca.example.com/directory")))
    done(made.add(ONE))
    made.edit("  agree-tos: true", "  agree-tos: true\n  profile: any")
    done(made.up())
    assert "preferred_profile = any" in renewal(made).read_text()


def test_a_changed_ca_without_an_account_is_told_with_what_to_do(world: World) -> None:
    world.edit('ca: "letsencrypt"', "ca: https://ca.example.com/directory")
    wanted = (
        f"{ONE}, {TWO}: still renewed by another CA, as there is no account at https://ca.example.com/directory: "
        "'stackctl renew --changed' registers one and replaces what differs; the old one is served until then"
    )
    for result in (world.up(dry_run=True), world.up()):
        assert wanted in done(result).notes
    assert world.doctor()["certificates"]["cert-renewal"] == "wrong"
    done(renew(world.host, changed=True))
    assert not world.up().notes
    assert "server = https://ca.example.com/directory" in renewal(world).read_text()
    assert world.doctor()["certificates"]["cert-renewal"] == "ok"


def test_a_ca_for_tests_takes_no_trusted_certificate_over(world: World) -> None:
    world.edit('ca: "letsencrypt"', "ca: letsencrypt-staging")
    assert not world.up().notes
    assert world.doctor()["certificates"]["cert-renewal"] == "ok"
