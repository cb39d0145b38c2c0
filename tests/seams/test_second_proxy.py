"""A proxy that exists in the tests alone goes through every use case by one line that registers it."""

from __future__ import annotations

import json
import re
import shutil
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from stackctl.engine.backup.sealing import Keys
from stackctl.errors import ProxyRejected
from stackctl.model.fields import Request
from stackctl.model.layout import SCHEMA
from stackctl.model.values import Domain
from stackctl.plan.operation import Operation
from stackctl.proxies.proxy import Proxy
from stackctl.proxies.registry import PROXIES
from stackctl.usecases.backup import BackupOptions, backup
from stackctl.usecases.config import config
from stackctl.usecases.explain import explain
from stackctl.usecases.restore import open_archive
from tests.cli.conftest import on
from tests.seams.proxy.layout import CERTS, HOSTS, MAIN, REDIRECTS, ROUTES
from tests.seams.proxy.toy import Toy
from tests.seams.proxy.world import TOY, ToyWorld
from tests.usecases.world import data, done

ONE, TWO = "one.example.com", "two.example.com"


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    toy: Proxy = Toy()
    monkeypatch.setitem(PROXIES, "toy", toy)


@pytest.fixture
def toy(tmp_path: Path) -> ToyWorld:
    """A stack with the second proxy and no sites."""
    world = ToyWorld(tmp_path / "stack")
    done(world.init(TOY))
    return world


@pytest.fixture
def site(toy: ToyWorld) -> ToyWorld:
    """The same with one site, which has an alias."""
    done(toy.add(ONE, "www.example.com"))
    return toy


def settled(world: ToyWorld) -> None:
    """Nothing is left to do."""
    assert str(world.up().plan) == ""


def test_init_writes_its_service_and_its_files(toy: ToyWorld) -> None:
    assert "proxy: toy\n" in toy.text.replace('"', "")
    assert re.search(r"^  toy:\n    image: \"toy:3\"", toy.text, re.MULTILINE)
    assert set(toy.live()) == {MAIN, HOSTS, ROUTES, CERTS, REDIRECTS}
    assert (toy.root / "edge/live/answers/generation").read_text() == f"{toy.published()}\n"
    assert not (toy.root / "nginx").exists()
    settled(toy)


def test_init_again_refreshes_nothing(toy: ToyWorld) -> None:
    before = toy.tree()
    assert str(done(toy.init(TOY)).plan) == ""
    assert str(done(toy.init()).plan) == ""
    assert toy.tree() == before
    assert toy.report.notes == []


def test_an_app_with_an_alias_is_added(site: ToyWorld) -> None:
    assert site.served() == {ONE: "real"}
    assert site.lines(HOSTS) == [f"{ONE} {ONE}", f"www.example.com {ONE}"]
    assert site.lines(ROUTES) == [f"{ONE} / one:8000 read=300s"]
    assert site.lines(CERTS) == [
        f"{ONE} /var/lib/stackctl/pairs/lineages/{ONE}/fullchain.pem /var/lib/stackctl/pairs/lineages/{ONE}/privkey.pem"
    ]
    assert site.lines(REDIRECTS) == [ONE, "www.example.com"]
    settled(site)


def test_before_the_certificate_is_there_a_dummy_is_served_and_nothing_redirects(toy: ToyWorld) -> None:
    toy.fake.faults.issue = {ONE: "dns"}
    assert [str(error) for error in toy.add(ONE).errors]
    assert toy.served() == {ONE: "dummy"}
    assert toy.lines(REDIRECTS) == []


def test_a_changed_route_is_taken_up(site: ToyWorld) -> None:
    done(site.add(TWO))
    site.fake.images["one:latest"] = (8000, 8001)
    site.edit("port: 8000", "port: 8001")
    shown = str(done(site.up()).plan)
    assert f"stage {ROUTES}  (settings of all sites changed)" in shown
    assert site.lines(ROUTES)[0] == f"{ONE} / one:8001 read=300s"
    assert site.fake.proxy.upstreams(site.fake.live)[ONE].port == 8001
    assert site.asked("signal") == site.asked("signal USR2")
    settled(site)


def test_a_newer_image_is_deployed_with_routes_to_addresses_meanwhile(site: ToyWorld) -> None:
    site.fake.images["one:2"] = (8000,)
    site.edit('image: "one:latest"', 'image: "one:2"')
    routes: list[str] = []
    begin = site.report.begin

    def note(operation: Operation) -> None:
        routes.append(site.lines(ROUTES)[0])
        begin(operation)

    site.report.begin = note  # type: ignore[method-assign]
    done(site.up())
    assert re.fullmatch(rf"{ONE} / 10\.9\.0\.\d+:8000 read=300s one:8000", routes[-1])
    assert site.lines(ROUTES) == [f"{ONE} / one:8000 read=300s"]
    assert [run.service.image for run in site.fake.runs.values() if run.service.name == "one"] == ["one:2"]
    settled(site)


def test_a_site_moves_to_another_service(site: ToyWorld) -> None:
    done(site.remove(ONE, keep_service=True))
    done(site.add(ONE, service="two", image="two:latest"))
    assert site.lines(ROUTES) == [f"{ONE} / two:3000 read=300s"]
    assert site.served() == {ONE: "real"}
    settled(site)


def test_the_users_own_files_are_tested_and_copied(site: ToyWorld) -> None:
    site.custom(f"{ONE}.rules", "allow office\n")
    site.custom("common.rules", "compress text\n")
    site.custom("notes.txt", "not for the proxy\n")
    done(site.up())
    live = site.live()
    assert live[f"rules/{ONE}.rules"] == b"allow office\n"
    assert live["common.rules"] == b"compress text\n"
    assert not [path for path in live if "notes" in path]
    settled(site)


def test_a_wrong_file_of_the_users_is_refused_by_line_and_costs_no_other_site(site: ToyWorld) -> None:
    done(site.add(TWO))
    site.custom(f"{ONE}.rules", "allow office\nnot_a_directive\n")
    site.custom(f"{TWO}.rules", "allow all\n")
    (error,) = site.up().errors
    assert isinstance(error, ProxyRejected)
    assert error.where == f"edge/custom/{ONE}.rules:2"
    assert str(error) == f"edge/custom/{ONE}.rules:2: toy rejects it: unknown word: not_a_directive"
    assert f"rules/{ONE}.rules" not in site.live()
    assert site.live()[f"rules/{TWO}.rules"] == b"allow all\n"
    assert site.served() == {ONE: "real", TWO: "real"}
    site.custom(f"{ONE}.rules", "allow office\n")
    done(site.up())
    settled(site)


def test_a_new_site_with_a_wrong_file_is_not_served_without_it(site: ToyWorld) -> None:
    site.custom(f"{TWO}.rules", "not_a_directive\n")
    (error,) = site.add(TWO, service="two").errors
    assert error.where == f"edge/custom/{TWO}.rules:1"
    assert site.fake.proxy.upstreams(site.fake.live).keys() == {ONE, "www.example.com"}
    assert site.served() == {ONE: "real", TWO: "nothing"}
    site.custom(f"{TWO}.rules", "allow all\n")
    done(site.up())
    assert site.served() == {ONE: "real", TWO: "real"}
    settled(site)


def test_a_new_site_whose_service_does_not_start_is_left_out_of_the_shared_files(site: ToyWorld) -> None:
    site.fake.faults.up_fails = {"two"}
    assert site.add(TWO, image="two:latest").errors
    assert site.fake.proxy.upstreams(site.fake.live).keys() == {ONE, "www.example.com"}
    site.fake.faults.up_fails = set()
    done(site.up())
    assert site.served() == {ONE: "real", TWO: "real"}
    settled(site)


def test_a_wrong_file_for_all_sites_leaves_everything_as_it_was(site: ToyWorld) -> None:
    before = site.live()
    site.custom("common.rules", "\nnot_a_directive\n")
    (error,) = site.up().errors
    assert error.where == "edge/custom/common.rules:2"
    assert site.live() == before
    assert site.served() == {ONE: "real"}


def test_a_certificate_that_is_not_issued_keeps_no_other_from_being_served(toy: ToyWorld) -> None:
    toy.fake.faults.issue = {ONE: "unauthorized"}
    toy.file.write_text(
        toy.text
        + "".join(
            f"  {name}:\n    image: {name}:latest\n    x-stackctl: {{domains: [{name}.example.com], port: {port}}}\n"
            for name, port in (("one", 8000), ("two", 3000))
        )
    )
    result = toy.up()
    assert [str(error).split(":")[0] for error in result.errors] == [ONE]
    assert toy.served() == {ONE: "dummy", TWO: "real"}
    assert toy.lines(REDIRECTS) == [TWO]
    toy.fake.faults.issue = {}
    toy.clock.now += timedelta(hours=2)
    done(toy.up())
    assert toy.served() == {ONE: "real", TWO: "real"}
    settled(toy)


def test_a_certificate_is_renewed_and_taken_up(site: ToyWorld) -> None:
    before = site.fake.loaded[ONE].fingerprint
    site.clock.now += timedelta(days=70)
    rows = data(done(site.renew()))["apps"]
    assert [row["status"] for row in rows] == ["renewed"]
    assert site.fake.loaded[ONE].fingerprint != before
    assert site.fake.loaded["www.example.com"] == site.fake.loaded[ONE]
    settled(site)


def test_a_lost_certificate_of_one_site_does_not_hold_another_up(site: ToyWorld) -> None:
    done(site.add(TWO))
    for folder in ("conf/live", "conf/archive"):
        shutil.rmtree(site.root / "data/certbot" / folder / ONE)
    shutil.rmtree(site.root / "data/certs" / ONE)
    shutil.rmtree(site.root / "data/certbot/deploy/pairs")
    site.fake.faults.issue = {ONE: "dns"}
    site.fake.images["three:latest"] = (9000,)
    done(site.add("three.example.com", service=None, image="three:latest"))
    assert site.served() == {ONE: "dummy", TWO: "real", "three.example.com": "real"}


def test_a_site_is_removed_from_every_file(site: ToyWorld) -> None:
    site.custom(f"{ONE}.rules", "allow office\n")
    done(site.add(TWO))
    done(site.up())
    done(site.remove(ONE))
    assert set(site.fake.loaded) == {TWO}
    assert not [path for path, body in site.live().items() if ONE.encode() in body or ONE in path]
    settled(site)


def test_the_last_site_is_removed_and_proved_gone(site: ToyWorld) -> None:
    result = done(site.remove(ONE))
    assert any(type(step.operation).__name__ == "VerifyGone" for step in result.steps)
    assert site.fake.loaded == {}
    settled(site)


def test_a_change_is_rolled_back_with_the_users_files(site: ToyWorld) -> None:
    site.custom(f"{ONE}.rules", "allow office\n")
    done(site.up())
    live = site.live()
    site.custom(f"{ONE}.rules", "allow everyone\n")
    site.fake.images["one:latest"] = (8000, 8001)
    site.edit("port: 8000", "port: 8001")
    done(site.up())
    assert site.live() != live
    done(site.rollback())
    assert site.live() == live
    assert (site.root / f"edge/custom/{ONE}.rules").read_text() == "allow office\n"
    settled(site)


def test_doctor_finds_nothing_wrong(site: ToyWorld) -> None:
    found = site.doctor()
    assert not [name for checks in found.values() for name, verdict in checks.items() if verdict == "wrong"]
    assert {"proxy", "http-port", "https-port", "leftovers"} <= found["host"].keys()


def test_doctor_finds_what_a_crash_left_in_its_folder(site: ToyWorld) -> None:
    (site.root / "edge/generations/.half.tmp").mkdir()
    assert site.doctor()["host"]["leftovers"] == "wrong"


def test_a_backup_has_the_users_files_and_nothing_that_is_written_again(site: ToyWorld, tmp_path: Path) -> None:
    site.custom(f"{ONE}.rules", "allow office\n")
    done(site.up())
    result = backup(site.host, BackupOptions(tmp_path / "stack.tar.gz"))
    assert data(result)["left_out"] == []
    files = open_archive(tmp_path / "stack.tar.gz", Keys()).manifest.files
    assert [path for path in files if path.startswith("edge/")] == ["edge/custom", f"edge/custom/{ONE}.rules"]


def test_explain_follows_its_maps(site: ToyWorld) -> None:
    report = explain(site.host, Domain("www.example.com"), Request("GET", "/"))
    shown = data(report)
    assert shown["whole"], shown["broken"]
    links = {one["link"]: one for one in shown["links"]}
    assert links["server"]["where"] == f"edge/{HOSTS}:2"
    assert links["location"]["where"] == f"edge/{ROUTES}:1"
    assert links["upstream"]["text"] == "one:8000, by route /"
    assert shown["http_status"] == 301
    nowhere = data(explain(site.host, Domain("none.example.com"), Request("GET", "/")))
    assert nowhere["broken"]["link"] == "name"


def test_explain_reads_its_log(site: ToyWorld) -> None:
    site.fake.faults.silent = {"one"}
    site.fake.images["one:latest"] = (1,)
    shown = data(explain(site.host, Domain(ONE), Request("GET", "/x")))
    assert shown["status"] == 502
    assert [(line["message"], line["level"]) for line in shown["log"]] == [("refused", "warn")]
    assert shown["broken"]["link"] == "container"


def test_config_shows_what_its_shared_files_say_of_a_site(site: ToyWorld) -> None:
    done(site.add(TWO))
    site.custom(f"{ONE}.rules", "allow office\n")
    before = data(config(site.host, Domain(ONE)))
    assert not before["live"]
    done(site.up())
    shown: dict[str, Any] = data(config(site.host, Domain("www.example.com")))
    assert shown["live"]
    files = {file["path"]: file["content"] for file in shown["files"]}
    assert files[f"edge/{ROUTES}"] == f"{ONE} / one:8000 read=300s\n"
    assert files[f"edge/custom/{ONE}.rules"] == "allow office\n"
    assert TWO not in json.dumps(shown)


NO_WORD = re.compile("nginx", re.IGNORECASE)


def test_nothing_that_is_shown_or_written_names_another_proxy(site: ToyWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    cli = on(site, monkeypatch)
    monkeypatch.setattr(sys, "argv", ["stackctl"])  # the history has the command line
    site.custom(f"{ONE}.rules", "not_a_directive\n")
    shown = [cli("up"), cli("up", "--dry-run")]
    site.custom(f"{ONE}.rules", "allow office\n")
    shown += [cli("plan"), cli("plan", "--diff"), cli("up"), cli("add-app", TWO, "--service", "two"), cli("plan")]
    shown += [cli("status"), cli("doctor"), cli("explain", ONE), cli("config", ONE), cli("logs", ONE)]
    shown += [cli("renew", "--dry-run"), cli("history"), cli("rollback"), cli("remove-app", ONE, "--yes"), cli("down")]
    said = [result.stdout + result.stderr for result in shown]
    assert all("Traceback" not in text for text in said)
    assert [text for text in said if NO_WORD.search(text)] == []
    files = {path: body for path, body in site.tree().items() if path != SCHEMA}
    assert [path for path, body in files.items() if NO_WORD.search(path) or b"nginx" in body] == []
