"""The lock of a stack, held by this process and by another one."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from stackctl.adapters.disk import lock
from stackctl.adapters.disk.lock import Holder, last_holder, locked
from stackctl.errors import HostError, Locked
from stackctl.wording import moment

AT = datetime(2026, 8, 1, 12, 30, 15, 999, UTC)
WHOLE = AT.replace(microsecond=0)
SINCE = "2026-08-01T12:30:15+00:00"

HOLDS_IT = f"""
import sys
from datetime import datetime
from pathlib import Path
from stackctl.adapters.disk.lock import locked
with locked(Path(sys.argv[1]), "up", lambda: datetime.fromisoformat("{SINCE}"), print, 0.0):
    print("held", flush=True)
    sys.stdin.readline()
"""


class Other:
    """Another process that holds the lock until it is released or killed."""

    def __init__(self, path: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDS_IT, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "held\n"

    @property
    def name(self) -> str:
        return f"'stackctl up' (pid {self.process.pid}, since {moment(AT)})"

    def release(self) -> None:
        self.process.communicate("\n", timeout=30)
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=30)


@contextmanager
def other(path: Path) -> Iterator[Other]:
    made = Other(path)
    try:
        yield made
    finally:
        if made.process.poll() is None:
            made.kill()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".stackctl/lock"


def taken(path: Path, notes: list[str] | None = None, wait: float = 0.0) -> AbstractContextManager[None]:
    return locked(path, "add-app", lambda: AT, ([] if notes is None else notes).append, wait)


def test_the_holder_is_in_the_file_and_removed_at_the_end(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    with taken(path):
        assert last_holder(path, WHOLE) == Holder(os.getpid(), "add-app", WHOLE, alive=True)
    assert last_holder(path, WHOLE) is None
    assert path.read_bytes() == b""


def test_only_its_owner_may_read_it(path: Path) -> None:
    with taken(path):
        assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_command_that_fails_leaves_it_clean(path: Path) -> None:
    with pytest.raises(KeyError), taken(path):
        raise KeyError
    assert last_holder(path, WHOLE) is None
    notes: list[str] = []
    with taken(path, notes):
        assert notes == []


def test_another_process_keeps_it_and_is_named(path: Path) -> None:
    with other(path) as holder:
        with pytest.raises(Locked) as refused, taken(path):
            pytest.fail("both have it")
        assert refused.value.message.startswith(f"{holder.name} ")
        assert "--wait" in (refused.value.hint or "")
        assert last_holder(path, WHOLE) == Holder(holder.process.pid, "up", WHOLE, alive=True), "and stays in the file"
        holder.release()
    with taken(path):
        pass


def test_waiting_is_reported_once(path: Path) -> None:
    notes: list[str] = []
    with other(path) as holder:

        def note(text: str) -> None:
            notes.append(text)
            holder.release()

        with locked(path, "add-app", lambda: AT, note, 30.0):
            assert last_holder(path, WHOLE) == Holder(os.getpid(), "add-app", WHOLE, alive=True)
    assert notes == [f"waiting for {holder.name}"]


def test_waiting_ends_at_its_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = map(float, itertools.count())
    slept: list[float] = []
    clock = SimpleNamespace(monotonic=lambda: next(seconds), sleep=slept.append)
    monkeypatch.setattr(lock, "time", clock)
    notes: list[str] = []
    with other(path) as holder:
        with pytest.raises(Locked), taken(path, notes, wait=3.0):
            pytest.fail("both have it")
        assert notes == [f"waiting for {holder.name}"]
    assert len(slept) == 2


def test_the_lock_of_a_process_that_was_killed_is_free_and_the_process_is_named(path: Path) -> None:
    with other(path) as holder:
        holder.kill()
    gone = Holder(holder.process.pid, "up", WHOLE, alive=False)
    assert last_holder(path, WHOLE) == gone
    notes: list[str] = []
    with taken(path, notes):
        assert len(notes) == 1
        assert notes[0].startswith(f"{gone} ")
        assert f"(pid {gone.pid}, no longer running, since {moment(AT)})" in str(gone)
    assert last_holder(path, WHOLE) is None


@pytest.mark.parametrize("text", ["", "[1", "[]", "{}", '{"pid": "x", "command": "up", "since": ""}', "\xff"])
def test_a_file_without_a_holder_is_a_free_lock(path: Path, text: str) -> None:
    path.parent.mkdir()
    path.write_text(text, encoding="latin-1")
    assert last_holder(path, WHOLE) is None
    with taken(path):
        assert json.loads(path.read_text()) == {"pid": os.getpid(), "command": "add-app", "since": SINCE}


def test_there_is_no_holder_without_a_file(path: Path) -> None:
    assert last_holder(path, WHOLE) is None


def test_a_place_where_it_cannot_be_made_is_named(path: Path) -> None:
    path.parent.write_text("a file, and no directory")
    with pytest.raises(HostError) as refused, taken(path):
        pytest.fail("there is no lock")
    assert str(path.parent) in (refused.value.where or "")


@pytest.mark.parametrize("since", ["2027-08-01T12:30:15+00:00", "9999-12-31T23:59:59+00:00"])
def test_a_time_from_the_future_is_not_repeated(path: Path, since: str) -> None:
    path.parent.mkdir()
    path.write_text(json.dumps({"pid": os.getpid(), "command": "up", "since": since}))
    found = last_holder(path, WHOLE)
    assert found == Holder(os.getpid(), "up", None, alive=True)
    assert str(found) == f"'stackctl up' (pid {os.getpid()})"


@pytest.mark.parametrize("pid", [10**30, -(10**30)])
def test_a_process_number_that_none_can_have_is_no_holder(path: Path, pid: int) -> None:
    path.parent.mkdir()
    path.write_text(json.dumps({"pid": pid, "command": "up", "since": SINCE}))
    found = last_holder(path, WHOLE)
    assert found is None or not found.alive


def test_a_folder_that_only_the_lock_needed_is_removed_again(tmp_path: Path) -> None:
    path = tmp_path / ".stackctl/lock"
    with pytest.raises(HostError), locked(path, "init", lambda: AT, print, 0.0):
        raise HostError("port 443 cannot be published")
    assert not path.parent.exists()
    with locked(path, "init", lambda: AT, print, 0.0):
        (path.parent / "history").mkdir()
    assert path.exists()


def test_who_waited_for_a_lock_that_was_removed_holds_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / ".stackctl/lock"
    path.parent.mkdir()
    holder = Other(path)
    notes: list[str] = []

    def note(text: str) -> None:
        notes.append(text)
        path.unlink()
        holder.release()

    with locked(path, "up", lambda: AT, note, 10.0):
        assert path.exists()
        assert json.loads(path.read_text())["command"] == "up"
    assert notes == [f"waiting for {holder.name}"]
