"""Imported certificates: what is served, what is asked of a CA, and what is left when one goes."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import pkcs12

from stackctl.certs.issuer import copies
from stackctl.certs.trust import Trust
from stackctl.engine.backup.sealing import Keys
from stackctl.engine.backup.selection import select
from stackctl.engine.probe.loop import loop
from stackctl.errors import HostError, InputError, IssueFailed, StackfileError
from stackctl.model.fields import Request
from stackctl.model.values import Domain
from stackctl.observed.network import Answer, Lookup
from stackctl.plan.certificates import Issue
from stackctl.plan.imports import HandOver, RemoveImported, StoreImported
from stackctl.plan.keep import DropKept
from stackctl.plan.operations import MakeDummy, ReloadProxy, VerifySite, WriteStackfile
from stackctl.reading import read_patiently
from stackctl.stackfile.settings import Change
from stackctl.usecases import cert_import
from stackctl.usecases.as_json import result_object
from stackctl.usecases.backup import BackupOptions, backup
from stackctl.usecases.cert import retire
from stackctl.usecases.cert_export import ExportOptions, ExportReport, export_certificate
from stackctl.usecases.cert_import import ImportOptions, ImportReport, import_certificate, read
from stackctl.usecases.cert_looks import list_certificates, show_certificate
from stackctl.usecases.cert_remove import remove_imported
from stackctl.usecases.converge import load_current
from stackctl.usecases.explain import explain
from stackctl.usecases.init import InitOptions
from stackctl.usecases.restore import open_archive
from stackctl.usecases.result import Result
from stackctl.usecases.set_keys import set_keys
from stackctl.usecases.status import status
from tests.authority import Authority, Made, Recipe, made
from tests.usecases.world import World, data, done

ONE, TWO = "one.example.com", "two.example.com"
CA = Authority()


def no_passphrase(name: str) -> bytes:
    raise AssertionError(name)


class Files:
    """The files of a certificate, beside the stack."""

    def __init__(self, folder: Path) -> None:
        self.cert, self.key = folder / "given.pem", folder / "given.key"

    def have(self, leaf: Made, *chain: Made) -> Made:
        self.cert.write_bytes(leaf.pem + b"".join(one.pem for one in chain))
        self.key.write_bytes(leaf.key_pem())
        return leaf


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def bring(
    world: World, files: Files, name: str, *sites: str, dry_run: bool = False, **more: Any
) -> Result[ImportReport]:
    options = ImportOptions(name, **{"cert": files.cert, "key": files.key, **more}, sites=tuple(map(Domain, sites)))
    return import_certificate(world.host, options, read(options, no_passphrase), dry_run=dry_run)


def imported(world: World, files: Files, *names: str, at: str | None = None, **more: Any) -> Made:
    leaf = files.have(CA.leaf(*names, **more), CA.middle)
    done(bring(world, files, at or names[0]))
    return leaf


def kinds(result: Result[Any]) -> list[str]:
    return [type(one).__name__ for one in result.plan.operations]


def orders(result: Result[Any]) -> list[Issue]:
    return [one for one in result.plan.operations if isinstance(one, Issue)]


# Import


def test_a_site_is_served_with_what_is_imported(site: World, files: Files) -> None:
    asked = list(site.fake.ca.issued)
    leaf = files.have(CA.leaf(ONE), CA.middle)
    before = site.tree()
    plan = bring(site, files, ONE, dry_run=True)
    assert site.tree() == before
    result = done(bring(site, files, ONE))
    assert kinds(plan) == kinds(result)
    assert {StoreImported, WriteStackfile, ReloadProxy, VerifySite} <= {type(one) for one in result.plan.operations}
    assert site.served() == {ONE: "real"}
    (hop,) = [
        row
        for row in data(explain(site.host, Domain(ONE), Request("GET", "/")))["links"]
        if row["link"] == "certificate"
    ]
    assert hop["text"].startswith("imported, issued by Test Intermediate")
    assert site.rows()[ONE]["issuer"] == "Test Intermediate"
    assert "certificate: imported\n" in site.text
    assert site.fake.ca.issued == asked, "no CA is asked"
    folder = site.root / "data/certs" / ONE
    assert (folder / "source").read_text() == "imported\n"
    assert oct((folder / "privkey.pem").stat().st_mode) == "0o100600"
    assert not site.up().plan
    assert result.payload.serial == leaf.serial
    told = json.dumps(result_object(result, ()))
    assert "PRIVATE" not in told, "no key is shown"
    assert not re.search(r"PRIVATE", repr(result)), "nor by an error of ours"


def test_one_without_an_intermediate_and_the_place_of_it_says_what_to_pass(site: World, files: Files) -> None:
    files.have(CA.leaf(ONE, url=None))
    alone = done(bring(site, files, ONE))
    note = "if its issuer CN=Test Intermediate is an intermediate CA and no root, import that one too, as its chain"
    assert note in alone.notes
    imported(site, files, ONE)
    assert note not in done(bring(site, files, ONE)).notes


def test_the_same_again_says_that_nothing_changed(site: World, files: Files) -> None:
    imported(site, files, ONE)
    before = site.tree()
    entries = len(site.host.directory.history.entries())
    again = done(bring(site, files, ONE))
    assert not again.plan
    assert again.notes[-1] == f"nothing changed: {ONE} has this certificate already"
    assert (site.tree(), len(site.host.directory.history.entries())) == (before, entries)


def test_it_is_replaced_in_place_and_recorded(site: World, files: Files) -> None:
    imported(site, files, ONE)
    text, entries = site.text, len(site.host.directory.history.entries())
    (site.root / "data/certs" / ONE / "privkey.pem").chmod(0o644)
    files.have(CA.leaf(ONE, lifetime=timedelta(days=200)), CA.middle)
    result = done(bring(site, files, ONE))
    assert kinds(result) == ["StoreImported", "ReloadProxy", "VerifySite"]
    assert "it replaces one that ends on" in result.plan.operations[0].cause
    assert site.text == text
    last = site.host.directory.history.entries()
    assert len(last) == entries + 1
    assert "import the certificate one.example.com" in last[-1].changes[0]
    assert oct((site.root / "data/certs" / ONE / "privkey.pem").stat().st_mode) == "0o100600"
    assert site.served() == {ONE: "real"}
    assert site.rows()[ONE]["days_left"] == 199


def test_the_chain_that_was_missing_is_loaded(site: World, files: Files) -> None:
    leaf = files.have(CA.leaf(ONE, url=None))
    done(bring(site, files, ONE))
    files.have(leaf, CA.middle)
    assert kinds(done(bring(site, files, ONE))) == ["StoreImported", "ReloadProxy", "VerifySite"]
    assert not site.up().plan


@pytest.mark.parametrize(
    "fault", ["names", "key", "over", "missing", "folder", "fifo", "huge", "contradiction", "none"]
)
def test_what_is_wrong_changes_nothing(site: World, files: Files, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cert_import, "read_patiently", partial(read_patiently, seconds=0.1))
    leaf = files.have(CA.leaf(ONE), CA.middle)
    more: dict[str, Any] = {}
    match fault:
        case "names":
            files.have(CA.leaf("other.example.com"), CA.middle)
        case "key":
            files.key.write_bytes(CA.leaf(ONE).key_pem())
        case "over":
            files.have(CA.leaf(ONE, lifetime=timedelta(hours=1)), CA.middle)
        case "missing":
            files.key.unlink()
        case "folder":
            more = {"key": files.key.parent}
        case "fifo":
            os.mkfifo(files.key.with_name("fifo"))
            more = {"key": files.key.with_name("fifo")}
        case "huge":
            files.cert.write_bytes(leaf.pem * 2000)
        case "contradiction":
            more = {"pkcs12": files.cert}
        case "none":
            more = {"cert": None}
    before = site.tree()
    with pytest.raises(InputError) as caught:
        bring(site, files, ONE, **more)
    assert site.tree() == before
    assert "PRIVATE" not in str(caught.value)


def test_a_pipe_is_read_as_a_file(site: World, files: Files) -> None:
    leaf = files.have(CA.leaf(ONE), CA.middle)
    out, into = os.pipe()
    os.write(into, leaf.key_pem())
    os.close(into)
    try:
        done(bring(site, files, ONE, key=Path(f"/dev/fd/{out}")))
    finally:
        os.close(out)


def test_all_names_of_the_site_are_covered_by_its_next_one(site: World, files: Files) -> None:
    imported(site, files, ONE, f"www.{ONE}")
    site.edit(f"- {ONE}\n", f"- {ONE}\n        - www.{ONE}\n")
    done(site.up())
    files.have(CA.leaf(ONE), CA.middle)
    with pytest.raises(InputError, match=f"does not cover www.{ONE}"):
        bring(site, files, ONE)
    with pytest.raises(IssueFailed, match=f"does not cover api.{ONE}") as caught:
        set_keys(site.host, "set", Domain(ONE), [Change("domains", f"{ONE},www.{ONE},api.{ONE}")])
    assert f"stackctl cert import {ONE}" in str(caught.value.hint)


def test_it_can_come_before_its_site(stack: World, files: Files) -> None:
    files.have(CA.leaf(ONE), CA.middle)
    result = done(bring(stack, files, ONE))
    assert kinds(result) == ["StoreImported"]
    assert f"no site is served with {ONE} yet" in result.notes
    added = done(stack.add(ONE))
    assert not orders(added)
    assert stack.served() == {ONE: "real"}


# Shared by several sites


def test_sites_share_one(two: World, files: Files) -> None:
    asked = len(two.fake.ca.issued)
    files.have(CA.leaf("*.example.com"), CA.middle)
    unused = done(bring(two, files, "*.example.com"))
    assert f"it covers {ONE}, {TWO}: 'stackctl cert import" in unused.notes[-1]
    done(bring(two, files, "*.example.com", ONE, TWO))
    assert two.text.count('imported: "*.example.com"') == 2
    assert two.served() == {ONE: "real", TWO: "real"}
    assert {row["issuer"] for row in two.rows().values()} == {"Test Intermediate"}
    files.have(CA.leaf("*.example.com", lifetime=timedelta(days=200)), CA.middle)
    replaced = done(bring(two, files, "*.example.com"))
    assert kinds(replaced) == ["StoreImported", "ReloadProxy", "VerifySite", "VerifySite"]
    assert len(two.fake.ca.issued) == asked
    with pytest.raises(InputError, match="as other sites may be"):
        bring(two, files, ONE)
    with pytest.raises(InputError, match="as other sites may be"):
        remove_imported(two.host, ONE)
    result = done(remove_imported(two.host, "*.example.com"))
    assert "imported:" not in two.text
    assert not (two.root / "data/certs/_wildcard.example.com").exists()
    assert two.served() == {ONE: "real", TWO: "real"}
    assert not orders(result), "both still had certificates of certbot's"
    assert not two.up().plan


# Removal


@pytest.fixture
def fresh(stack: World, files: Files) -> World:
    """A site that never had another certificate than its imported one."""
    files.have(CA.leaf(ONE), CA.middle)
    done(bring(stack, files, ONE))
    done(stack.add(ONE))
    done(bring(stack, files, ONE))
    assert not stack.fake.ca.issued
    return stack


def test_it_is_served_until_another_one_is_issued(fresh: World) -> None:
    result = remove_imported(fresh.host, ONE, dry_run=True)
    found = [type(one) for one in result.plan.operations]
    assert found.index(HandOver) < found.index(Issue) < found.index(DropKept)
    fresh.fake.faults.issue[ONE] = "unauthorized"
    failed = remove_imported(fresh.host, ONE)
    assert failed.errors
    assert "certificate: imported" not in fresh.text
    assert fresh.rows()[ONE]["issuer"] == "Test Intermediate", "it is served on"
    assert fresh.served() == {ONE: "real"}
    fresh.fake.faults.issue.clear()
    done(fresh.up())
    assert fresh.rows()[ONE]["issuer"] == "Fake CA"
    assert not (fresh.root / "data/certs" / ONE).exists()
    assert not fresh.up().plan


def test_it_is_removed_at_once_if_the_user_says_so(fresh: World) -> None:
    result = done(remove_imported(fresh.host, ONE, at_once=True))
    found = [type(one) for one in result.plan.operations]
    assert found.index(MakeDummy) < found.index(Issue)
    assert HandOver not in found
    assert fresh.rows()[ONE]["issuer"] == "Fake CA"


def test_one_that_no_site_uses_is_removed(site: World, files: Files) -> None:
    files.have(CA.leaf("other.example.com"), CA.middle)
    done(bring(site, files, "spare"))
    result = done(remove_imported(site.host, "spare"))
    assert [type(one) for one in result.plan.operations] == [RemoveImported]
    assert not (site.root / "data/certs/spare").exists()


def test_what_is_not_imported_is_not_removed(site: World) -> None:
    before = site.tree()
    with pytest.raises(InputError, match="no imported certificate one") as caught:
        remove_imported(site.host, ONE)
    assert "cert retire" in str(caught.value.hint)
    with pytest.raises(InputError, match="no imported certificate nothing"):
        remove_imported(site.host, "nothing")
    assert site.tree() == before


# What the Compose file says


def test_the_key_decides_against_a_certificate_of_the_ca(site: World, files: Files) -> None:
    imported(site, files, ONE)
    done(set_keys(site.host, "unset", Domain(ONE), [Change("certificate")]))
    assert site.rows()[ONE]["issuer"] == "Fake CA", "without it, the own lineage comes first"
    done(set_keys(site.host, "set", Domain(ONE), [Change("certificate", "imported")]))
    assert site.rows()[ONE]["issuer"] == "Test Intermediate"


def test_without_the_certificate_the_user_is_told(site: World) -> None:
    site.edit(f"- {ONE}\n", f"- {ONE}\n      certificate: imported\n")
    result = site.up()
    assert [error.message for error in result.errors] == [
        f"{ONE}: not requested: its imported certificate {ONE} does not exist"
    ]
    assert "stackctl cert import" in str(result.errors[0].hint)
    assert site.served() == {ONE: "real"}, "its own lineage is served"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("{imported: origin, file: a.pem}", "needs 'imported' or 'file'"),
        ("{fallback: acme}", "needs 'imported' or 'file'"),
        ("{imported: origin, key: a.key}", "'key' is the file of a certificate"),
        ("{imported: origin, days: 3}", "'days' is about a fallback"),
        ("{imported: ../x}", "is not the name of a certificate"),
        ("{file: ../a.pem}", "is not below the stack's directory"),
        ("{file: /etc/a.pem}", "is not below the stack's directory"),
        ("{file: a b.pem}", "is not the path of a certificate"),
        ("{imported: origin, fallback: dns}", "expected acme, got"),
        ("{imported: origin, fallback: acme, days: 400}", "<= 365"),
        ("{imports: origin}", "has no key 'imports'"),
        ("[origin]", "text"),
    ],
)
def test_a_wrong_key_is_refused_with_its_line(site: World, value: str, words: str) -> None:
    site.edit(f"- {ONE}\n", f"- {ONE}\n      certificate: {value}\n")
    with pytest.raises(StackfileError) as caught:
        site.up()
    assert words.lower() in str(caught.value).lower()
    assert str(caught.value.where) == site.line_of("certificate: ")


def named_files(world: World, leaf: Made, more: str = "") -> None:
    (world.root / "certs").mkdir(exist_ok=True)
    (world.root / "certs/origin.pem").write_bytes(leaf.pem + CA.middle.pem)
    (world.root / "certs/origin.key").write_bytes(leaf.key_pem())
    if "certificate:" not in world.text:
        world.edit(
            f"- {ONE}\n", f"- {ONE}\n      certificate: {{file: certs/origin.pem, key: certs/origin.key{more}}}\n"
        )


def test_the_file_names_the_files(site: World, files: Files) -> None:
    named_files(site, CA.leaf(ONE))
    assert "StoreImported" in kinds(done(site.up()))
    assert site.rows()[ONE]["issuer"] == "Test Intermediate"
    assert not site.up().plan
    named_files(site, CA.leaf(ONE, lifetime=timedelta(days=200)))
    assert kinds(done(site.up())) == ["StoreImported", "ReloadProxy", "VerifySite"]
    files.have(CA.leaf(ONE), CA.middle)
    with pytest.raises(InputError, match=r"is the file certs/origin\.pem"):
        bring(site, files, ONE)
    (site.root / "certs/origin.key").write_bytes(CA.leaf(ONE).key_pem())
    result = site.up()
    assert "does not fit the certificate" in str(result.errors[0])
    assert str(result.errors[0].where) == site.line_of("certificate: ")
    assert site.served() == {ONE: "real"}, "the one before is served on"
    assert site.rows()[ONE]["days_left"] == 199


def test_files_that_are_wrong_stop_no_other_site(two: World) -> None:
    named_files(two, CA.leaf("other.example.com"))
    two.edit(f"- {TWO}\n", f"- {TWO}\n        - www.{TWO}\n")
    result = two.up()
    assert len(result.errors) == 1
    assert (TWO, f"www.{TWO}") in two.fake.ca.issued
    assert two.served() == {ONE: "real", TWO: "real"}


# Fallback


def with_fallback(world: World, days: int = 10) -> None:
    world.edit("certificate: imported\n", f"certificate: {{imported: {ONE}, fallback: acme, days: {days}}}\n")


def test_the_ca_takes_over_near_the_end(fresh: World, files: Files) -> None:
    with_fallback(fresh)
    assert not orders(fresh.up())
    fresh.clock.now += timedelta(days=78)
    assert not orders(fresh.up()), "eleven days are left"
    fresh.clock.now += timedelta(days=2)
    result = done(fresh.up())
    assert [one.cause for one in orders(result)] == ["its imported certificate ends on 2026-10-29"]
    assert fresh.rows()[ONE]["issuer"] == "Fake CA"
    assert not fresh.up().plan
    files.have(CA.leaf(ONE, begins=fresh.clock.now, lifetime=timedelta(days=90)), CA.middle)
    done(bring(fresh, files, ONE))
    assert fresh.rows()[ONE]["issuer"] == "Test Intermediate", "the next import is served again"
    assert "fallback: acme" in fresh.text


def test_while_the_ca_refuses_it_is_served(fresh: World) -> None:
    with_fallback(fresh)
    fresh.clock.now += timedelta(days=85)
    fresh.fake.faults.issue[ONE] = "unauthorized"
    assert fresh.up().errors
    assert fresh.rows()[ONE]["issuer"] == "Test Intermediate"
    assert fresh.served() == {ONE: "real"}


def test_without_a_fallback_no_ca_is_asked(fresh: World) -> None:
    fresh.clock.now += timedelta(days=200)
    assert not orders(fresh.up())
    assert not fresh.renew().plan
    assert fresh.rows()[ONE]["days_left"] < 0
    assert not fresh.fake.ca.issued
    with pytest.raises(InputError, match="is imported") as caught:
        fresh.renew(ONE)
    assert "cert import" in str(caught.value.hint)


def test_renew_uses_the_fallback(fresh: World) -> None:
    with_fallback(fresh)
    assert not fresh.renew().plan
    fresh.clock.now += timedelta(days=85)
    done(fresh.renew())
    assert fresh.fake.ca.issued == [(ONE,)]
    done(fresh.up())
    assert fresh.rows()[ONE]["issuer"] == "Fake CA"


def test_a_lineage_that_it_had_before_can_be_retired(site: World, files: Files) -> None:
    imported(site, files, ONE)
    assert list(data(status(site.host))["unused"]) == [ONE]
    loaded = load_current(site.host)
    containers = site.host.orchestrator.containers(loaded.project.name)
    assert not loop(site.host, loaded.stack, containers).used, "a renewal of it that fails is no problem of the site"
    done(retire(site.host, ONE))
    assert site.served() == {ONE: "real"}
    assert not site.up().plan


# History


def test_rollback_restores_the_key_and_no_certificate(site: World, files: Files) -> None:
    imported(site, files, ONE)
    done(site.rollback())
    assert "certificate: imported" not in site.text
    assert site.rows()[ONE]["issuer"] == "Fake CA"
    assert (site.root / "data/certs" / ONE / "fullchain.pem").exists(), "it can be used again"
    done(site.rollback())
    assert site.rows()[ONE]["issuer"] == "Test Intermediate"


# Looking


def certificate_checks(world: World, name: str = ONE) -> dict[str, tuple[str, str, str | None]]:
    world.doctor()
    rows = [row for section in data(world.diagnosis)["sections"] for row in section["checks"]]
    return {
        row["name"]: (row["verdict"], row["text"], row["todo"])
        for row in rows
        if row["subject"] == name and row["name"].startswith("cert-")
    }


def test_all_sources_are_listed(two: World, files: Files) -> None:
    imported(two, files, ONE)
    rows = {(row["name"], row["source"]): row for row in data(list_certificates(two.host))["certificates"]}
    assert rows[ONE, "imported"]["used_by"] == [ONE]
    assert rows[ONE, "imported"]["served"] is True
    assert rows[ONE, "imported"]["paths"] == [f"data/certs/{ONE}/fullchain.pem", f"data/certs/{ONE}/privkey.pem"]
    assert rows[ONE, "acme"]["served"] is None, "it is the site's own, and not served"
    assert rows[TWO, "acme"]["served"] is True
    assert {source for _, source in rows} == {"acme", "imported"}, "no dummy is served"
    two.fake.faults.issue["three.example.com"] = "dns"
    two.add("three.example.com", service="three", image="three:latest", port=80)
    rows = {(row["name"], row["source"]): row for row in data(list_certificates(two.host))["certificates"]}
    assert rows["three.example.com", "dummy"]["used_by"] == ["three.example.com"]
    assert rows[ONE, "imported"]["issuer"] == "Test Intermediate"


def test_one_is_shown_by_its_name_or_by_that_of_its_site(site: World, files: Files) -> None:
    leaf = files.have(CA.leaf("*.example.com"), CA.middle)
    done(bring(site, files, "*.example.com", ONE))
    for name in (ONE, "*.example.com", "_wildcard.example.com"):
        shown = data(show_certificate(site.host, name))
        assert (shown["serial"], shown["key"]) == (leaf.serial, "ECDSA secp256r1")
        assert shown["chain"][1] == "CN=Test Intermediate"
    with pytest.raises(InputError, match="no certificate nothing"):
        show_certificate(site.host, "nothing")
    site.network.roots = [CA.root.certificate]
    assert show_certificate(site.host, ONE).payload.trust is Trust.PUBLIC


def test_who_may_not_read_the_key_may_look(site: World, files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    leaf = imported(site, files, ONE)

    def refuse(_folder: Path) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(copies, "read", refuse)
    assert show_certificate(site.host, ONE).payload.serial == leaf.serial
    assert len(list_certificates(site.host).payload.certificates) == 2
    with pytest.raises(HostError, match="permission denied"):
        export_certificate(site.host, ExportOptions(ONE, pem=files.cert.with_name("x.pem")))


def test_an_origin_certificate_needs_cloudflare(site: World, files: Files) -> None:
    files.have(CA.origin_leaf(ONE))
    result = done(bring(site, files, ONE))
    assert any("only through Cloudflare" in note for note in result.notes)
    assert any("set its record there to 'Proxied'" in note for note in result.notes)
    verdict, text, todo = certificate_checks(site)["cert-trust"]
    assert (verdict, "does not resolve" in text, "Proxied" in str(todo)) == ("wrong", True, True)
    site.network.records[ONE, "A"] = Lookup(Answer.FOUND, ("104.16.1.1",))
    assert certificate_checks(site)["cert-trust"][0] == "ok"
    assert show_certificate(site.host, ONE).payload.proxied == {ONE: True}
    again = bring(site, files, ONE)
    assert any("resolves to Cloudflare's proxy" in note for note in again.notes)


def test_what_browsers_do_not_accept_is_told(site: World, files: Files) -> None:
    files.have(made(Recipe([ONE], common_name=ONE)))
    result = done(bring(site, files, ONE))
    assert any("self-signed" in note for note in result.notes)
    assert certificate_checks(site)["cert-trust"][0] == "unknown"
    site.network.roots = [CA.origin.certificate]
    files.have(CA.leaf(ONE), CA.middle)
    assert any("no CA that this host trusts" in note for note in done(bring(site, files, ONE)).notes)


@pytest.mark.parametrize(
    ("after", "verdict", "words"),
    [(10, "ok", None), (61, "unknown", "in 28 days"), (76, "wrong", "in 13 days"), (90, "wrong", "expired on")],
)
def test_its_end_is_told_with_the_command(fresh: World, after: int, verdict: str, words: str | None) -> None:
    fresh.clock.now += timedelta(days=after)
    ending = fresh.rows()[ONE]["ending"]
    assert (ending is None) is (words is None)
    found, text, todo = certificate_checks(fresh)["cert-days"]
    assert found == verdict
    if words is not None:
        assert words in ending
        assert f"stackctl cert import {ONE} --cert FILE --key FILE" in ending
        assert words in text
        assert f"stackctl cert import {ONE}" in str(todo)


def test_doctor_is_content_after_its_own_advice(fresh: World, files: Files) -> None:
    fresh.clock.now += timedelta(days=85)
    assert certificate_checks(fresh)["cert-days"][0] == "wrong"
    files.have(CA.leaf(ONE, begins=fresh.clock.now - timedelta(days=1)), CA.middle)
    done(bring(fresh, files, ONE))
    assert {verdict for verdict, _, _ in certificate_checks(fresh).values()} <= {"ok", "unknown"}
    assert certificate_checks(fresh)["cert-days"][0] == "ok"


def test_one_that_is_gone_is_reported(fresh: World, files: Files) -> None:
    fresh.host.directory.remove_pair(ONE)
    assert certificate_checks(fresh)["cert-issued"][0] == "wrong"
    fresh.up()
    verdict, text, _ = certificate_checks(fresh)["cert-issued"]
    assert (verdict, "does not exist" in text) == ("wrong", True)
    done(bring(fresh, files, ONE))
    assert certificate_checks(fresh)["cert-issued"][0] == "ok"
    assert not fresh.up().plan


def test_a_damaged_one_is_served_from_its_copy(fresh: World) -> None:
    (fresh.root / "data/certs" / ONE / "privkey.pem").write_bytes(b"")
    assert fresh.served() == {ONE: "real"}
    assert certificate_checks(fresh)["cert-copy"][0] == "wrong"
    assert not fresh.up().plan


# Export


def exported(world: World, name: str, **more: Any) -> Result[ExportReport]:
    return done(export_certificate(world.host, ExportOptions(name, **more)))


def test_a_certificate_is_exported_whole_and_private(site: World, files: Files, tmp_path: Path) -> None:
    leaf = files.have(CA.leaf(ONE), CA.middle)
    done(bring(site, files, ONE))
    target = tmp_path / "mail.pem"
    exported(site, ONE, pem=target)
    assert target.read_bytes() == leaf.key_pem() + leaf.pem + CA.middle.pem
    assert oct(target.stat().st_mode) == "0o100600"
    with pytest.raises(InputError, match="exists"):
        exported(site, ONE, pem=target)
    target.write_bytes(b"old")
    target.chmod(0o644)
    exported(site, ONE, pem=target, force=True)
    assert oct(target.stat().st_mode) == "0o100600"
    bundle = tmp_path / "mail.p12"
    exported(site, ONE, pkcs12=bundle, passphrase=lambda _name: b"secret")
    loaded = pkcs12.load_pkcs12(bundle.read_bytes(), b"secret")
    assert loaded.cert is not None
    assert loaded.cert.certificate == leaf.certificate
    assert [one.certificate for one in loaded.additional_certs] == [CA.middle.certificate]
    assert oct(bundle.stat().st_mode) == "0o100600"


def test_only_what_is_real_is_exported_to_one_place(stack: World, tmp_path: Path) -> None:
    stack.fake.faults.issue[ONE] = "dns"
    stack.add(ONE)
    with pytest.raises(InputError, match="a dummy only"):
        exported(stack, ONE, pem=tmp_path / "x.pem")
    for more in ({}, {"pem": tmp_path / "x.pem", "keep_fresh": True}):
        with pytest.raises(InputError, match="to one place"):
            exported(stack, ONE, **more)
    assert not (tmp_path / "x.pem").exists()


def test_an_export_is_kept_fresh(site: World, files: Files) -> None:
    report = exported(site, ONE, keep_fresh=True).payload
    folder = site.root / report.path
    assert report.path == f"data/certbot/deploy/exports/{ONE}"
    assert oct(folder.stat().st_mode) == "0o40700"
    first = (folder / "combined.pem").read_bytes()
    assert first == (folder / "privkey.pem").read_bytes() + (folder / "fullchain.pem").read_bytes()
    assert not exported(site, ONE, keep_fresh=True).changed
    site.clock.now += timedelta(days=70)
    done(site.renew())
    second = (folder / "combined.pem").read_bytes()
    assert second != first
    assert {oct(path.stat().st_mode) for path in folder.iterdir()} == {"0o100600"}
    imported(site, files, ONE)
    assert (folder / "combined.pem").read_bytes() == second, "it is an export of certbot's certificate"
    exported(site, ONE, keep_fresh=True)
    leaf = imported(site, files, ONE, lifetime=timedelta(days=300))
    assert (folder / "combined.pem").read_bytes() == leaf.key_pem() + leaf.pem + CA.middle.pem
    shutil.rmtree(folder)
    imported(site, files, ONE)
    assert not folder.exists(), "deleting the folder ends it"


# Backups


def test_a_backup_has_it_with_its_key_and_what_is_exported(two: World, files: Files, tmp_path: Path) -> None:
    named_files(two, CA.leaf(ONE))
    done(two.up())
    files.have(CA.leaf("*.example.com"), CA.middle)
    done(bring(two, files, "*.example.com", TWO))
    exported(two, TWO, keep_fresh=True)
    found = select(two.host.directory.files, tuple).paths
    folder = "data/certs/_wildcard.example.com"
    assert {folder, "certs/origin.pem", "certs/origin.key", f"data/certs/{ONE}"} <= found
    assert "data/certbot/deploy/exports/_wildcard.example.com/.certificate" in found
    done_backup = backup(two.host, BackupOptions(tmp_path / "x.tar.gz"))
    assert not done_backup.errors
    opened = open_archive(tmp_path / "x.tar.gz", Keys())
    assert f"{folder}/privkey.pem" in opened.manifest.files


# Beside the local CA


def test_the_local_ca_takes_its_place(world: World, files: Files) -> None:
    name = "one.localhost"
    done(world.init(replace(InitOptions(), ca="local")))
    done(world.add(name))
    files.have(CA.leaf(name), CA.middle)
    done(bring(world, files, name))
    assert world.rows()[name]["source"] == "imported"
    assert not world.up().plan
    done(remove_imported(world.host, name))
    assert world.rows()[name]["source"] == "local"
    assert world.served() == {name: "real"}
    assert not world.up().plan
    rows = data(list_certificates(world.host))["certificates"]
    assert [(row["name"], row["source"], row["served"]) for row in rows] == [(name, "local", True)]
