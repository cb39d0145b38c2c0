"""Before the CA is asked: what is certain to fail there stops the app it is about, and nothing is spent."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackctl.errors import IssueFailed
from stackctl.observed.network import Answer, Fetched, Lookup, Reach
from stackctl.plan.certificates import CheckNames, Issue
from stackctl.usecases.result import Result
from tests.usecases.world import World, data, done

NAME = "two.example.com"
ELSEWHERE = "203.0.113.7"
STRANGER = Fetched(ELSEWHERE, Reach.ANSWERED, 404, b"not here", {"server": "Apache"})


def statuses(result: Result[object]) -> dict[str, str]:
    """How the look at the names and the asking ended, by kind."""
    kinds = (CheckNames, Issue)
    return {type(s.operation).__name__: s.status for s in result.steps if isinstance(s.operation, kinds)}


def refused(result: Result[object]) -> IssueFailed:
    (error,) = result.errors
    assert isinstance(error, IssueFailed)
    assert statuses(result) == {"CheckNames": "failed", "Issue": "skipped"}
    return error


@pytest.mark.parametrize("command", ["add", "up", "init"])
def test_a_name_that_does_not_exist_is_not_requested(site: World, command: str) -> None:
    site.network.records = {(NAME, kind): Lookup(Answer.NO_NAME) for kind in ("A", "AAAA")}
    if command != "add":
        done(site.add(NAME, issue=False))
    issued = list(site.fake.ca.issued)
    error = refused({"add": lambda: site.add(NAME), "up": site.up, "init": site.init}[command]())
    assert "does not exist" in error.message
    assert f"stackctl doctor {NAME}" in (error.hint or "")
    assert site.fake.ca.issued == issued
    assert site.host.directory.ledger().entries[-1].names == ("one.example.com",)
    assert site.served()[NAME] == "dummy"
    site.network.records = {}
    done(site.up())
    assert site.served()[NAME] == "real"


def test_another_server_at_every_address_is_reported(site: World) -> None:
    site.network.records[NAME, "A"] = Lookup(Answer.FOUND, (ELSEWHERE,))
    site.network.servers[ELSEWHERE] = STRANGER
    assert "(Apache, status 404)" in refused(site.add(NAME)).message


def test_a_name_in_doubt_is_not_held_back(site: World) -> None:
    site.network.records[NAME, "A"] = Lookup(Answer.FOUND, (ELSEWHERE,))
    result = done(site.add(NAME))
    assert statuses(result) == {"CheckNames": "done", "Issue": "done"}


def test_one_of_two_addresses_may_be_the_one_the_ca_takes(site: World) -> None:
    site.network.records[NAME, "A"] = Lookup(Answer.FOUND, (ELSEWHERE, site.network.own))
    site.network.servers[ELSEWHERE] = STRANGER
    done(site.add(NAME))


def test_a_forbidding_caa_record_is_reported_without_asking_the_ca_for_its_identity(site: World) -> None:
    site.network.records["example.com", "CAA"] = Lookup(Answer.FOUND, ("0 issue other-ca.example",))
    error = refused(site.add(NAME))
    assert "CAA of example.com" in error.message
    assert 'issue "letsencrypt.org"' in (error.hint or "")


def test_an_alias_counts_as_the_name_itself(site: World) -> None:
    site.network.records["www.two.example.com", "A"] = Lookup(Answer.NO_NAME)
    assert refused(site.add(NAME, "www.two.example.com")).message.startswith("www.two.example.com: ")


def test_force_asks_all_the_same(site: World) -> None:
    site.network.records[NAME, "A"] = Lookup(Answer.NO_NAME)
    result = done(site.add(NAME, check=False))
    assert statuses(result) == {"Issue": "done"}


def test_one_name_stops_no_other(site: World) -> None:
    for name in (NAME, "three.example.com"):
        done(site.add(name, issue=False))
    site.network.records[NAME, "A"] = Lookup(Answer.NO_NAME)
    result = site.up()
    (error,) = result.errors
    assert error.message.startswith(NAME)
    assert site.served() == {"one.example.com": "real", NAME: "dummy", "three.example.com": "real"}


def test_a_renewal_is_not_requested_either_unless_it_is_forced(site: World) -> None:
    site.clock.now = site.host.directory.lineage("one.example.com").certificate.not_after  # type: ignore[union-attr]
    site.network.records["one.example.com", "A"] = Lookup(Answer.NO_NAME)
    result = site.renew()
    refused(result)
    assert data(result)["apps"][0]["status"] == "failed"
    done(site.renew("one.example.com"))


def test_nothing_is_left_in_the_webroot(site: World) -> None:
    webroot = site.root / "data/certbot/www"
    assert list(webroot.rglob("*")) == []
    done(site.add(NAME))
    assert list(webroot.rglob("*")) == []


def test_a_webroot_that_cannot_be_written_leaves_what_dns_tells(site: World, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Path.write_text

    def refuse(path: Path, text: str, **options: str) -> int:
        if "acme-challenge" in str(path):
            raise PermissionError(13, "Permission denied")
        return write(path, text, **options)

    monkeypatch.setattr(Path, "write_text", refuse)
    done(site.add(NAME))
    site.network.records["three.example.com", "A"] = Lookup(Answer.NO_NAME)
    refused(site.add("three.example.com"))
