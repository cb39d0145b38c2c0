"""``doctor`` as a whole: one fault fails one check, named first; it works whatever is missing."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from stackctl.certs.ledger import Entry
from stackctl.certs.loop import state_digest
from stackctl.errors import ExitCode
from stackctl.model.acme import LETSENCRYPT
from stackctl.observed.network import Answer, Fetched, Lookup, Reach
from stackctl.usecases.status import status
from tests.usecases.world import World, data, done

ONE = "one.example.com"
NAMES = {"dns", "caa", "reach", "limits"}


def wrong(world: World, *names: str) -> list[str]:
    """Return the names of the failed checks, in their order."""
    found = world.doctor(*names)
    report = data(world.diagnosis)
    named = [row["name"] for section in report["sections"] for row in section["checks"] if row["verdict"] == "wrong"]
    assert world.diagnosis.found == (ExitCode.FAILED if named else ExitCode.OK)
    assert (report["first"]["name"] if report["first"] else None) == (named[0] if named else None)
    assert named or all("wrong" not in checks.values() for checks in found.values())
    return list(dict.fromkeys(named))


def test_a_healthy_stack_passes_and_is_not_changed(site: World) -> None:
    before = site.tree()
    found = site.doctor()
    assert list(found) == ["host", ONE, "certbot", "apps", "certificates"]
    assert {verdict for checks in found.values() for verdict in checks.values()} == {"ok"}
    assert site.tree() == before
    assert not site.diagnosis.changed


def _lock(world: World, pid: int) -> None:
    held = {"pid": pid, "command": "up", "since": "2026-08-01"}
    (world.root / ".stackctl/lock").write_text(json.dumps(held))


def _spend(world: World) -> None:
    (world.root / "data/certbot/conf/archive" / ONE / "privkey1.pem").unlink()
    now = world.clock.now
    world.host.directory.write_ledger([Entry(now, LETSENCRYPT, (ONE,), issued=False)] * 5, now, now)


def _point(world: World, *servers: Fetched) -> None:
    world.network.records[ONE, "A"] = Lookup(Answer.FOUND, tuple(server.address for server in servers))
    world.network.servers |= {server.address: server for server in servers}


BREAKS: dict[str, tuple[Callable[[World], object], set[str]]] = {
    "compose-file": (lambda w: w.edit("agree-tos", "agree-to"), {"images", "proxy", "challenge", "certbot"}),
    "images": (lambda w: w.fake.images.pop("one:latest"), set()),
    "proxy": (lambda w: w.fake.remove([c.id for c in w.fake.containers("stack") if c.role == "proxy"]), {"reach"}),
    "clock": (lambda w: setattr(w.network, "ahead", timedelta(hours=1)), set()),
    "permissions": (lambda w: (w.root / "data/certs" / ONE / "privkey.pem").chmod(0o644), set()),
    "webroot": (lambda w: (w.root / "data/certbot/www").chmod(0o750), {"challenge", "reach"}),
    "leftovers": (lambda w: (w.root / "nginx/generations/.abc.tmp").mkdir(), set()),
    "dns": (lambda w: w.network.records.update({(ONE, "A"): Lookup(Answer.NO_NAME)}), {"reach", "caa"}),
    "caa": (lambda w: w.network.records.update({("com", "CAA"): Lookup(Answer.FOUND, ("0 issue ;",))}), set()),
    "reach": (lambda w: _point(w, Fetched("203.0.113.7", Reach.ANSWERED, 404)), set()),
    "limits": (_spend, set()),
    "certbot": (
        lambda w: w.fake.remove([c.id for c in w.fake.containers("stack") if c.role == "certbot"]),
        {"certbot-dns", "certbot-route"},
    ),
}


@pytest.mark.parametrize("broken", BREAKS)
def test_one_fault_fails_exactly_one_check(site: World, broken: str) -> None:
    breaking, unknown = BREAKS[broken]
    breaking(site)
    assert wrong(site) == [broken]
    found = {name: verdict for checks in site.doctor().values() for name, verdict in checks.items()}
    assert {found[name] for name in unknown} <= {"unknown"}
    assert data(site.diagnosis)["first"]["todo"]


def test_without_an_engine_only_the_engine_check_fails(site: World) -> None:
    site.fake.faults.away = True
    assert wrong(site) == ["engine"]
    found = site.doctor()
    assert found["host"]["proxy"] == "unknown"
    assert (found[ONE]["dns"], found[ONE]["reach"]) == ("ok", "unknown")
    assert set(found["certbot"].values()) == {"unknown"}


def test_a_port_in_use_is_named_before_the_proxy(site: World) -> None:
    site.fake.runs.clear()
    site.fake.taken[80] = "apache2 (pid 7)"
    assert wrong(site)[0] == "http-port"
    assert "proxy" not in wrong(site)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "a lost link": lambda conf: (conf / "live" / ONE / "cert.pem").unlink(),
    "a file in place of a link": lambda conf: _plain(conf / "live" / ONE / "cert.pem"),
    "half a renewal file": lambda conf: (conf / "renewal" / f"{ONE}.conf").write_text("version = 5.6.0\n"),
    "settings of another host": lambda conf: (conf / "cli.ini").write_text("authenticator = standalone\n"),
}


def _plain(link: Path) -> None:
    content = link.read_bytes()
    link.unlink()
    link.write_bytes(content)


def _failed_round(world: World, *names: str) -> None:
    """Record what the loop does of a round that could not renew ``names``, or failed as a whole."""
    conf = world.root / "data/certbot/conf"

    def state(*paths: str) -> str:
        files = {path: (conf / path).read_bytes() for path in ("cli.ini", *paths) if (conf / path).exists()}
        plain = [path for path in files if path.startswith("live/") and not (conf / path).is_symlink()]
        return state_digest(files, plain)

    rows = []
    for name in names:
        live = [f"live/{name}/{kind}.pem" for kind in ("cert", "chain", "fullchain", "privkey")]
        leaf = hashlib.sha256((conf / live[0]).read_bytes()).hexdigest() if (conf / live[0]).exists() else ""
        rows.append(f"{name} {leaf} {state(f'renewal/{name}.conf', *live)}\n")
    at = int(world.clock().timestamp())
    stamps = world.root / "data/certbot/deploy"
    (stamps / "failed").write_text(f"{at} 1 {state()}\n{''.join(rows)}\ncertbot ended with an error\n")
    (stamps / "checked").write_text(f"{at}\n")


@pytest.mark.parametrize(
    ("damage", "names"), [*((damage, (ONE,)) for damage in DAMAGES), ("settings of another host", ())]
)
def test_a_failure_of_the_loop_is_over_once_up_has_mended_its_cause(
    site: World, damage: str, names: tuple[str, ...]
) -> None:
    DAMAGES[damage](site.root / "data/certbot/conf")
    _failed_round(site, *names)
    assert "renewal-round" in wrong(site)
    done(site.up())
    assert wrong(site) == []
    assert data(status(site.host))["renewal"]["problem"] is None


def test_without_a_stack_the_host_and_the_given_names_are_checked(world: World) -> None:
    found = world.doctor()
    assert list(found) == ["host"]
    assert "leftovers" not in found["host"]
    found = world.doctor("new.example.com")
    assert (found["new.example.com"]["dns"], found["new.example.com"]["reach"]) == ("ok", "unknown")
    assert list(world.root.iterdir()) == []


def test_a_name_that_is_not_routed_yet_can_be_checked(site: World) -> None:
    assert wrong(site, "new.example.com") == []
    assert site.doctor("new.example.com")["new.example.com"]["reach"] == "ok"
    site.network.records["new.example.com", "A"] = Lookup(Answer.NO_NAME)
    assert wrong(site, "new.example.com", ONE) == ["dns"]


def test_an_alias_is_checked_under_its_own_name(site: World) -> None:
    done(site.add("two.example.com", "www.two.example.com"))
    site.network.records["www.two.example.com", "A"] = Lookup(Answer.NO_NAME)
    assert wrong(site) == ["dns"]
    assert data(site.diagnosis)["first"]["subject"] == "www.two.example.com"
    assert list(site.doctor("www.two.example.com")) == [
        "host",
        "www.two.example.com",
        "certbot",
        "apps",
        "certificates",
    ]


def test_an_invalid_file_is_reported_with_its_line_and_its_names_are_still_checked(site: World) -> None:
    site.edit('image: "one:latest"', 'image: "one:latest"\n    networks: [nowhere]')
    site.network.records[ONE, "A"] = Lookup(Answer.NO_NAME)
    assert wrong(site) == ["compose-file", "dns"]
    assert data(site.diagnosis)["first"]["text"].startswith(f"{site.file.name}:")


def test_a_killed_command_is_reported_and_a_running_one_is_no_fault(site: World) -> None:
    _lock(site, os.getpid())
    assert wrong(site) == []
    _lock(site, 2**22 + 1)  # above the largest pid there can be
    assert wrong(site) == ["leftovers"]
    assert "stackctl up" in data(site.diagnosis)["first"]["todo"]


def test_a_reached_limit_is_no_fault_while_the_certificate_is_valid(site: World) -> None:
    now = site.clock.now
    site.host.directory.write_ledger([Entry(now, LETSENCRYPT, (ONE,), issued=True)] * 5, now, now)
    assert wrong(site) == []


@pytest.mark.parametrize("changed", [0, 2**33])
def test_an_old_probe_file_is_reported_and_so_is_one_from_the_future(site: World, changed: int) -> None:
    folder = site.root / "data/certbot/www/.well-known/acme-challenge"
    folder.mkdir(parents=True)
    probe_file = folder / "stackctl-0123456789abcdef"
    probe_file.write_text("from another doctor")
    assert wrong(site) == []
    os.utime(probe_file, (changed, changed))
    assert wrong(site) == ["leftovers"]
