from __future__ import annotations

import errno
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from stackctl.adapters.disk.generations import Generations
from stackctl.adapters.disk.history import KEPT, History
from stackctl.errors import HostError, InputError
from stackctl.model.history import HistoryEntry
from stackctl.proxies.nginx.proxy import Nginx

AT = datetime(2026, 8, 1, 12, tzinfo=UTC)
FILES = {"docker-compose.yml": b"services: {}\n", "nginx/custom/a.example.com.conf": b"# \xff\n"}


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / ".stackctl" / "history")


def record(history: History, **more: Any) -> HistoryEntry:
    values: dict[str, Any] = {
        "at": AT,
        "command": "stackctl up",
        "kind": "change",
        "changes": ("write docker-compose.yml", "reload the proxy"),
        "generation": "abc",
        "lineages": {"a.example.com": "f0"},
        "file": "docker-compose.yml",
    }
    files = more.pop("files", FILES)
    return history.record(HistoryEntry(**(values | more)), files)


def test_what_was_recorded_is_read_again(history: History) -> None:
    made = record(history)
    assert made.number == 1
    assert history.entries() == [made]
    assert history.entry(1) == history.last() == made
    assert history.files(1) == FILES


def test_an_empty_history(history: History) -> None:
    assert history.entries() == []
    assert history.last() is None
    assert history.generations() == frozenset()
    with pytest.raises(InputError, match="no entry 3: it is empty"):
        history.entry(3)


def test_only_its_owner_may_read_it(history: History, tmp_path: Path) -> None:
    record(history)
    root = tmp_path / ".stackctl" / "history"
    for path in [root, *root.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path


def test_the_last_ten_are_kept_and_no_number_comes_again(history: History) -> None:
    for number in range(1, KEPT + 5):
        assert record(history, generation=f"g{number}").number == number
    assert [entry.number for entry in history.entries()] == list(range(5, KEPT + 5))
    assert history.generations() == {f"g{number}" for number in range(5, KEPT + 5)}
    with pytest.raises(InputError, match="it has 5, 6"):
        history.entry(4)


def test_what_was_there_before_stackctl_stays(history: History) -> None:
    record(history, kind="foreign", generation=None)
    for _ in range(KEPT + 3):
        record(history)
    kinds = [entry.kind for entry in history.entries()]
    assert kinds == ["foreign", *["change"] * KEPT]
    assert history.files(1) == FILES


@pytest.mark.parametrize("path", ["../outside", "/etc/passwd", "nginx/../../outside", ""])
def test_no_path_leads_out(history: History, path: str, tmp_path: Path) -> None:
    with pytest.raises(HostError):
        record(history, files={path: b"x"})
    assert history.entries() == []
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("at", range(4))
def test_a_write_that_fails_leaves_nothing(history: History, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    first = record(history)
    calls = 0

    def full(_descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls > at:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(HostError, match="disk is full"):
        record(history)
    monkeypatch.undo()
    assert history.entries() == [first]
    assert record(history).number == 2


def test_what_a_crash_left_is_no_entry_and_is_in_nobodys_way(history: History, tmp_path: Path) -> None:
    record(history)
    root = tmp_path / ".stackctl" / "history"
    for left in (".draft", ".dropped"):
        (root / left / "files").mkdir(parents=True)
        (root / left / "entry.json").write_text("{")
    assert [entry.number for entry in history.entries()] == [1]
    assert record(history).number == 2
    assert sorted(path.name for path in root.iterdir()) == ["0001", "0002"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"kind": "change"}', '{"kind": "other"}', "\xff"])
def test_a_damaged_entry_is_left_out(history: History, tmp_path: Path, text: str) -> None:
    record(history)
    record(history)
    (tmp_path / ".stackctl/history/0001/entry.json").write_text(text, encoding="latin-1")
    assert [entry.number for entry in history.entries()] == [2]
    assert record(history).number == 3


def test_generations_that_the_history_names_outlive_the_last_ten(history: History, tmp_path: Path) -> None:
    generations = Generations(tmp_path, Nginx.layout, history.generations)
    (tmp_path / "nginx").mkdir()
    names: list[str] = []
    for number in range(15):
        name = generations.stage({"nginx.conf": str(number).encode()}, lambda name: name.encode()).name
        generations.go_live(name)
        folder = tmp_path / "nginx/generations" / name
        os.utime(folder, (number, number))
        names.append(name)
        if number == 1:
            record(history, generation=name)
    there = {path.name for path in (tmp_path / "nginx/generations").iterdir()}
    assert there >= {names[1], names[-1]}
    assert names[0] not in there
    assert len(there) == 11
