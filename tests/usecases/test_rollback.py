"""Back to a state the stack was in once."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

import pytest

from stackctl.adapters.disk.history import History
from stackctl.adapters.fakes.faults import Killed
from stackctl.certs.lineage import Certificate
from stackctl.errors import ExitCode, HostError, InputError, StackfileError
from stackctl.model.history import HistoryEntry
from stackctl.observed.containers import Output
from stackctl.plan.certificates import Issue
from stackctl.plan.operation import Operation
from stackctl.plan.operations import ReloadProxy
from stackctl.proxies.nginx.proxy import Nginx
from stackctl.usecases.history import history
from tests.usecases.world import Notes, World, data, done

CUSTOM = "add_header X-One 1;\n"


def snapshot(world: World) -> tuple[bytes, dict[str, bytes], dict[str, bytes], str | None]:
    """What must be as before, by byte."""
    return world.file.read_bytes(), world.host.directory.custom(Nginx.layout), world.live(), world.published()


def serials(world: World) -> dict[str, Certificate]:
    return dict(world.fake.loaded)


@pytest.fixture
def changed(site: World) -> tuple[World, World]:
    """A site, and next to it the same as it was before another one was added and much was edited."""
    site.custom("one.example.com.conf", CUSTOM)
    done(site.up())
    before = site.copy(site.root.parent / "before" / "stack")
    site.custom("one.example.com.conf", "add_header X-One 2;\n")
    site.custom("http.conf", "# of all\n")
    site.edit("x-stackctl:\n  email", "x-stackctl:\n  tls: modern\n  email")
    done(site.add("two.example.com"))
    done(site.up())
    return site, before


def test_everything_is_as_it_was_by_byte_and_the_same_certificates_are_served(changed: tuple[World, World]) -> None:
    world, before = changed
    number = max(
        entry.number
        for entry in world.host.directory.history.entries()
        if entry.generation == before.published() and entry.kind == "change"
    )
    done(world.rollback(number))
    assert snapshot(world) == snapshot(before)
    assert serials(world) == serials(before)
    assert {run.service.name for run in world.fake.runs.values()} == {"nginx", "certbot", "one"}
    assert world.asked("issue") == ["issue one.example.com", "issue two.example.com"]


def test_an_earlier_generation_that_the_proxy_refuses_by_now_stays_on_disk(
    site: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = site.published()
    site.custom("http.conf", "# of all\n")
    done(site.up())
    generations = {path.name for path in (site.root / "nginx/generations").iterdir()}
    assert earlier in generations

    def refused(root: str) -> Output:
        return Output(1, f"nginx: [emerg] unknown directive in /etc/nginx/{root}/nginx.conf:1\n")

    monkeypatch.setattr(site.fake, "proxy_test", refused)
    assert site.rollback().code is ExitCode.PROXY_REJECTED
    assert {path.name for path in (site.root / "nginx/generations").iterdir()} == generations


class KilledAtReload(Notes):
    """Ends the process when the proxy is about to be reloaded."""

    def begin(self, operation: Operation) -> None:
        if isinstance(operation, ReloadProxy):
            raise Killed(operation.text)


def test_a_rollback_that_is_cut_short_twice_still_goes_to_the_same_state(changed: tuple[World, World]) -> None:
    world, _ = changed
    undisturbed = world.copy(world.root.parent / "undisturbed" / "stack")
    done(undisturbed.rollback())
    assert undisturbed.text != world.text
    world.report = KilledAtReload()
    for _time in range(2):
        with pytest.raises(Killed):
            world.rollback()
    world.report = Notes()
    done(world.rollback())
    assert snapshot(world) == snapshot(undisturbed)


def test_without_a_number_it_goes_before_the_last_change_and_back_again(site: World) -> None:
    before = snapshot(site)
    done(site.add("two.example.com"))
    after = snapshot(site)
    result = done(site.rollback())
    assert data(result) == {"entry": 2}
    assert result.notes == ("rolling back to entry 2 of 2026-08-01 12:00 UTC: ",)
    assert snapshot(site) == before
    assert site.served() == {"one.example.com": "real"}
    assert data(done(site.rollback())) == {"entry": 3}
    assert snapshot(site) == after
    assert site.served() == {"one.example.com": "real", "two.example.com": "real"}
    assert len(site.asked("issue")) == 2, "the certificate was still there"
    assert [entry.number for entry in site.host.directory.history.entries()] == [1, 2, 3, 4, 5]


def test_other_sites_are_not_touched(site: World) -> None:
    done(site.add("two.example.com"))
    ids = {run.service.name: number for number, run in site.fake.runs.items()}
    done(site.rollback())
    assert {run.service.name: number for number, run in site.fake.runs.items()} == {
        name: number for name, number in ids.items() if name != "two"
    }
    assert not [call for call in site.asked("up ")[-1:] if "one" in call]


def test_a_removed_site_comes_back_with_the_certificate_it_had(site: World) -> None:
    before = serials(site)
    done(site.remove("one.example.com"))
    done(site.rollback())
    assert serials(site) == before
    assert len(site.asked("issue")) == 1


def test_a_certificate_that_is_gone_is_issued_anew_and_the_plan_says_so(site: World) -> None:
    before = serials(site)
    done(site.remove("one.example.com", delete_cert=True))
    shown = site.rollback(dry_run=True)
    causes = [operation.cause for operation in shown.plan.operations if isinstance(operation, Issue)]
    assert causes == ["its recorded certificate no longer exists"]
    done(site.rollback())
    assert site.served() == {"one.example.com": "real"}
    assert serials(site) != before


def test_a_dry_run_changes_nothing_and_shows_the_differences(changed: tuple[World, World]) -> None:
    world, _ = changed
    before = world.tree()
    entries = world.host.directory.history.entries()
    shown = world.rollback(2, dry_run=True)
    assert world.tree() == before
    assert world.host.directory.history.entries() == entries
    diffs = {diff.path: diff.status for diffs in shown.diffs for diff in diffs}
    assert diffs["docker-compose.yml"] == "changed"
    assert diffs["nginx/custom/http.conf"] == diffs["nginx/sites/two.example.com.conf"] == "removed"
    assert diffs["nginx/custom/one.example.com.conf"] == "removed"


def test_an_edit_that_went_wrong_is_taken_back_and_not_lost(site: World) -> None:
    good = snapshot(site)
    site.custom("one.example.com.conf", "not_a_directive on;\n")
    assert site.up().errors
    result = done(site.rollback())
    assert data(result) == {"entry": 2}
    assert result.notes[-1] == "the files on disk were not recorded before: they are entry 3 now"
    assert snapshot(site) == good
    assert site.host.directory.history.files(3)["nginx/custom/one.example.com.conf"] == b"not_a_directive on;\n"
    kinds = [entry.kind for entry in site.host.directory.history.entries()]
    assert kinds == ["change", "change", "found", "change"]


def test_a_file_that_is_not_even_yaml_is_taken_back(site: World) -> None:
    good = snapshot(site)
    site.file.write_text("services: [\n")
    assert data(done(site.rollback())) == {"entry": 2}
    assert snapshot(site) == good
    with pytest.raises(StackfileError, match=r"the file of entry 3 cannot be read: docker-compose\.yml:"):
        site.rollback(3)


def test_a_compose_file_that_is_lost_comes_back(site: World) -> None:
    good = snapshot(site)
    site.file.unlink()
    assert data(done(site.rollback())) == {"entry": 2}
    assert snapshot(site) == good


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", [1, 2])
def test_a_run_that_ends_while_it_records_goes_to_the_same_place_again(
    site: World, monkeypatch: pytest.MonkeyPatch, number: int, when: str
) -> None:
    done(site.add("two.example.com"))
    good = snapshot(site)
    site.edit("x-stackctl:\n  email", "x-stackctl:\n  tls: modern\n  email")
    edited = site.file.read_bytes()
    record, calls = History.record, 0

    def cut_short(self: History, entry: HistoryEntry, files: Mapping[str, bytes]) -> HistoryEntry:
        nonlocal calls
        calls += 1
        if (calls, when) == (number, "before"):
            raise Killed
        made = record(self, entry, files)
        if (calls, when) == (number, "after"):
            raise Killed
        return made

    with monkeypatch.context() as patch:
        patch.setattr(History, "record", cut_short)
        with pytest.raises(Killed):
            site.rollback()
    if (number, when) == (2, "after"):
        assert snapshot(site) == good, "all was done"
        return
    done(site.rollback())
    assert snapshot(site) == good
    contents = [
        site.host.directory.history.files(entry.number)["docker-compose.yml"]
        for entry in site.host.directory.history.entries()
    ]
    assert contents[-2:] == [edited, good[0]]


def test_the_state_there_is_needs_nothing(site: World) -> None:
    result = done(site.rollback(2))
    assert not result.plan
    assert len(site.host.directory.history.entries()) == 2


def test_what_cannot_be_gone_back_to_is_said(world: World) -> None:
    with pytest.raises(InputError, match="there is no stack"):
        world.rollback()
    with pytest.raises(InputError, match="there is no stack"):
        history(world.host)
    done(world.init())
    with pytest.raises(InputError, match="no earlier state to roll back to"):
        world.rollback()
    with pytest.raises(InputError, match="no entry 7: it has 1"):
        world.rollback(7)
    shutil.rmtree(world.root / ".stackctl/history")
    with pytest.raises(InputError, match="is empty"):
        world.rollback()
    assert data(history(world.host)) == {"entries": []}


def test_a_damaged_entry_is_refused(site: World) -> None:
    (site.root / ".stackctl/history/0001/files/docker-compose.yml").unlink()
    with pytest.raises(InputError, match="entry 1 is damaged"):
        site.rollback(1)


def test_a_state_before_stackctl_without_its_compose_file_is_refused(site: World) -> None:
    entry = HistoryEntry(site.clock.now, "stackctl adopt", "foreign", (), None, {}, "docker-compose.yml")
    site.host.directory.history.record(entry, {"conf/nginx.conf": b""})
    with pytest.raises(InputError, match=r"damaged: docker-compose\.yml is missing"):
        site.rollback(3)


def test_a_custom_file_that_changes_meanwhile_stops_it(site: World, monkeypatch: pytest.MonkeyPatch) -> None:
    done(site.up())
    site.custom("http.conf", "# one\n")
    done(site.up())
    directory = type(site.host.directory)
    write = directory.write_custom

    def meanwhile(self: object, name: str, content: bytes | None, before: bytes | None, **_: bool) -> None:
        site.custom("http.conf", "# somebody's\n")
        write(self, name, content, before)  # type: ignore[arg-type]

    monkeypatch.setattr(directory, "write_custom", meanwhile)
    result = site.rollback()
    assert [type(error) for error in result.errors] == [HostError]
    assert (site.root / "nginx/custom/http.conf").read_text() == "# somebody's\n"


def test_an_override_with_keys_of_stackctl_is_refused(site: World) -> None:
    done(site.add("two.example.com"))
    (site.root / "docker-compose.override.yml").write_text("x-stackctl: {}\n")
    with pytest.raises(StackfileError, match=r"only read from docker-compose\.yml"):
        site.rollback()


def test_history_says_what_each_change_did(changed: tuple[World, World]) -> None:
    world, _ = changed
    rows = data(history(world.host))["entries"]
    assert [(row["number"], row["kind"]) for row in rows][:3] == [(1, "change"), (2, "change"), (3, "change")]
    lines = len(world.host.directory.history.files(1)["docker-compose.yml"].splitlines())
    assert rows[0]["files"] == [{"path": "docker-compose.yml", "status": "new", "added": lines, "removed": 0}]
    assert rows[2]["files"] == [
        {"path": "nginx/custom/one.example.com.conf", "status": "new", "added": 1, "removed": 0}
    ]
    assert rows[1]["lineages"].keys() == {"one.example.com"}
    assert "issue a certificate for one.example.com" in rows[1]["changes"]
