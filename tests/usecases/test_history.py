"""What is written down of each change, and what is not."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from stackctl.adapters.fakes.faults import Killed
from stackctl.model.history import HistoryEntry
from stackctl.usecases.history import history
from tests.usecases.test_crash import Fuse
from tests.usecases.world import Notes, World, done


def entries(world: World) -> list[HistoryEntry]:
    return world.host.directory.history.entries()


def kinds(world: World) -> list[str]:
    return [entry.kind for entry in entries(world)]


def files(world: World, number: int) -> dict[str, bytes]:
    return world.host.directory.history.files(number)


def test_each_change_is_recorded_as_it_came_out(stack: World) -> None:
    done(stack.add("one.example.com"))
    first, second = entries(stack)
    lineage = stack.host.directory.lineage("one.example.com").certificate
    assert lineage is not None
    assert (first.number, second.number) == (1, 2)
    assert second.lineages == {"one.example.com": lineage.fingerprint}
    assert second.generation == stack.published()
    assert second.at == stack.clock.now
    assert second.file == "docker-compose.yml"
    assert "issue a certificate for one.example.com" in second.changes
    assert files(stack, 2) == {"docker-compose.yml": stack.text.encode()}
    assert b"one.example.com" not in files(stack, 1)["docker-compose.yml"]


def test_the_oldest_entry_that_is_left_calls_no_file_new(site: World) -> None:
    done(site.add("two.example.com"))
    first, *rest = history(site.host).payload.entries
    assert [file.status for file in first.files] == ["new"]
    (folder,) = [path for path in (site.root / ".stackctl/history").iterdir() if path.name.lstrip("0") == "1"]
    shutil.rmtree(folder)
    oldest, *newer = history(site.host).payload.entries
    assert (oldest.number, oldest.files, oldest.changes) == (rest[0].number, (), rest[0].changes)
    assert newer == rest[1:]


def test_your_own_files_are_recorded_too(site: World) -> None:
    site.custom("http.conf", "# mine\n")
    done(site.up())
    assert files(site, 3)["nginx/custom/http.conf"] == b"# mine\n"


def test_a_command_about_one_site_does_not_record_an_edit_that_it_did_not_apply(site: World) -> None:
    done(site.add("two.example.com"))
    site.custom("two.example.com.conf", "add_header X-Two 2;\n")
    before = entries(site)
    assert done(site.renew("one.example.com")).steps
    assert entries(site) == before
    done(site.up())
    assert files(site, len(before) + 1)["nginx/custom/two.example.com.conf"] == b"add_header X-Two 2;\n"


def test_nothing_is_recorded_where_there_is_nothing_to_go_back_to(site: World) -> None:
    before = entries(site)
    done(site.up())
    done(site.renew("one.example.com"))
    done(site.down())
    done(site.up())
    site.edit('image: "one:latest"\n', 'image: "one:latest"\n    environment:\n      A: "1"\n')
    done(site.up(dry_run=True))
    assert entries(site) == before
    done(site.up())
    assert len(entries(site)) == len(before) + 1


def test_a_failed_change_is_recorded_by_the_next_one(site: World) -> None:
    site.fake.faults.issue["two.example.com"] = "dns"
    assert site.add("two.example.com").errors
    assert kinds(site) == ["change", "change"]
    site.fake.faults.issue.clear()
    site.clock.now = site.clock.now.replace(day=9)
    done(site.add("three.example.com"))
    assert kinds(site) == ["change", "change", "found", "change"]
    assert b"two.example.com" in files(site, 3)["docker-compose.yml"]
    assert b"three.example.com" not in files(site, 3)["docker-compose.yml"]
    assert entries(site)[2].changes == ("docker-compose.yml was not recorded before",)


def test_a_stack_older_than_the_history_is_recorded_before_its_first_change(site: World) -> None:
    for path in sorted((site.root / ".stackctl/history").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    text = site.text.encode()
    done(site.add("two.example.com"))
    assert kinds(site) == ["found", "change"]
    assert files(site, 1) == {"docker-compose.yml": text}


def test_no_site_is_lost_when_the_process_ends_before_the_recording(
    site: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_arguments: object, **_named: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("stackctl.adapters.disk.history.History.record", killed)
        with pytest.raises(Killed):
            site.add("two.example.com")
    assert kinds(site) == ["change", "change"]
    again, other = site.copy(tmp_path / "again/stack"), site.copy(tmp_path / "other/stack")
    done(again.up())
    assert kinds(again) == ["change", "change", "found"]
    assert b"two.example.com" in files(again, 3)["docker-compose.yml"]
    done(other.add("three.example.com"))
    assert kinds(other) == ["change", "change", "found", "change"]
    assert b"two.example.com" in files(other, 3)["docker-compose.yml"]


@pytest.mark.slow
def test_wherever_the_process_ends_the_next_run_records_what_was_reached(site: World, tmp_path: Path) -> None:
    trial = site.copy(tmp_path / "trial/stack")
    trial.report = fuse = Fuse()
    done(trial.add("two.example.com"))
    for number in range(fuse.begun):
        world = site.copy(tmp_path / str(number) / "stack")
        world.report = Fuse(begins_at=number)
        with pytest.raises(Killed):
            world.add("two.example.com")
        world.report = Notes()
        done(world.add("two.example.com"))
        last = entries(world)[-1]
        assert (last.generation, files(world, last.number)) == (
            world.published(),
            {"docker-compose.yml": world.text.encode()},
        )
        assert files(world, 2) == {"docker-compose.yml": site.text.encode()}


def test_a_history_that_cannot_be_written_is_reported_and_holds_nothing_up(
    site: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object, **_named: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), ".stackctl/history/.draft")

    monkeypatch.setattr("stackctl.adapters.disk.history._write", full)
    result = done(site.add("two.example.com"))
    assert result.notes == ("this change is not recorded in the history: .stackctl/history/.draft: the disk is full",)
    assert site.served()["two.example.com"] == "real"


def test_generations_of_the_history_stay(site: World) -> None:
    generation = site.published()
    for number in range(9):
        site.custom("http.conf", f"# {number}\n")
        done(site.up())
    assert generation in {path.name for path in (site.root / "nginx/generations").iterdir()}
    assert {entry.generation for entry in entries(site)} <= {
        path.name for path in (site.root / "nginx/generations").iterdir()
    }
