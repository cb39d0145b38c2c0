"""A certificate that only certbot can renew, by DNS or with a wildcard, is never replaced by one over HTTP-01."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackctl.adapters.fakes.certbot import FakeCertbot
from stackctl.certs.request import certonly
from stackctl.errors import ExitCode
from stackctl.model.acme import LETSENCRYPT, Acme
from stackctl.plan.certificates import CheckNames, Issue, RefuseIssue
from tests.usecases.world import World, data, done

WILD, A, B, C = "wild", "a.example.com", "b.example.com", "deep.a.example.com"
NAMES = ("*.example.com", "example.com")


@pytest.fixture
def wild(stack: World) -> World:
    """Two sites that are served with a wildcard by a DNS plugin, which adoption keeps."""
    stack.fake.outside.add(("10.0.0.5", 80))
    certbot: FakeCertbot = stack.fake._certbot
    certbot._store(WILD, *stack.fake.ca.issue(NAMES, stack.clock()), ["--server", LETSENCRYPT])
    renewal = path(stack, f"renewal/{WILD}.conf")
    text = renewal.read_text().replace("authenticator = webroot\nwebroot_path = /var/www/certbot,\n", "")
    renewal.write_text(text + "authenticator = dns-rfc2136\ndns_rfc2136_credentials = /etc/letsencrypt/x.ini\n")
    route(stack, [A], [B])
    done(stack.up())
    return stack


def path(world: World, name: str) -> Path:
    return world.root / "data/certbot/conf" / name


def route(world: World, *sites: list[str], certificate: str = WILD) -> None:
    lines = ["  apps:"]
    for names in sites:
        lines += [f"    - domains: [{', '.join(names)}]", "      upstream: 10.0.0.5:80"]
        lines.append(f"      certificate: {certificate}")
    head = world.text.partition("  apps:\n")[0].rstrip("\n")
    if "services:" in head.partition("x-stackctl:")[2]:
        before, _, after = head.partition("services:")
        head = f"services:{after}\n{before}".rstrip("\n")
    world.file.write_text(head + "\n" + "\n".join(lines) + "\n")


def names_on_disk(world: World) -> tuple[str, ...]:
    one = world.host.directory.lineages()[WILD].certificate
    return one.names if one else ()


def wrong(world: World) -> list[tuple[str, str]]:
    world.doctor()
    rows = [row for section in data(world.diagnosis)["sections"] for row in section["checks"]]
    return [(row["name"], row["todo"]) for row in rows if row["verdict"] == "wrong"]


def test_it_serves_both_sites_and_doctor_is_content(wild: World) -> None:
    assert wild.served() == {A: "real", B: "real"}
    assert not wild.up().plan
    assert wrong(wild) == []
    assert len(wild.fake.ca.issued) == 1


def test_by_force_and_when_it_is_due_it_is_renewed_as_its_file_says(wild: World) -> None:
    before = path(wild, f"renewal/{WILD}.conf").read_text()
    result = done(wild.renew(A))
    requests = [one.request for one in result.plan.operations if isinstance(one, Issue)]
    assert [(one.lineage, one.own_way, one.names) for one in requests] == [(WILD, True, NAMES)]
    assert not any(isinstance(one, CheckNames) for one in result.plan.operations)
    assert names_on_disk(wild) == NAMES
    assert path(wild, f"renewal/{WILD}.conf").read_text() == before
    assert wild.served() == {A: "real", B: "real"}


def test_it_is_not_extended_by_a_name_that_it_does_not_cover(wild: World) -> None:
    route(wild, [A, C], [B])
    result = wild.up()
    assert result.code is ExitCode.ISSUE_FAILED
    (error,) = result.errors
    assert "does not cover deep.a.example.com" in str(error)
    assert "--cert-name wild" in (error.hint or "")
    assert "--force" not in (error.hint or "")
    assert names_on_disk(wild) == NAMES
    assert wild.served() == {A: "real", B: "real"}
    assert ("cert-names", error.hint) in wrong(wild)
    route(wild, [A, C], [B], certificate=f"{A}-2")
    assert [sorted(names) for names in wild.fake.ca.issued[1:]] == []
    done(wild.up())
    assert names_on_disk(wild) == NAMES


@pytest.mark.parametrize("damage", [f"archive/{WILD}/privkey1.pem", f"renewal/{WILD}.conf"])
def test_what_cannot_be_mended_is_left_to_the_user_with_what_to_do(wild: World, damage: str) -> None:
    path(wild, damage).write_text("")
    issued = len(wild.fake.ca.issued)
    result = wild.up()
    refused = [one for one in result.plan.operations if isinstance(one, RefuseIssue)]
    assert [one.request.lineage for one in refused] == [WILD]
    assert len(wild.fake.ca.issued) == issued
    assert wild.served()[B] in {"real", "other"}, "its last good copy is served on"
    advice = wrong(wild)
    assert advice
    assert all("restore it from a backup" in todo for _, todo in advice)


def test_links_are_mended_as_of_any_other(wild: World) -> None:
    for kind in ("cert", "chain", "fullchain", "privkey"):
        path(wild, f"live/{WILD}/{kind}.pem").unlink()
    done(wild.up())
    assert wild.served() == {A: "real", B: "real"}
    assert wrong(wild) == []
    assert len(wild.fake.ca.issued) == 1


def test_its_command_names_neither_webroot_nor_names(wild: World) -> None:
    result = wild.renew(A, dry_run=True)
    (issue,) = [one for one in result.plan.operations if isinstance(one, Issue)]
    argv = certonly(issue.request, Acme())
    assert argv[:4] == ["renew", "--non-interactive", "--cert-name", WILD]
    assert "--force-renewal" in argv
    assert not {"--webroot", "--domain", "certonly"} & set(argv)
