from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stackctl.adapters.disk.files import make_folder
from stackctl.diagnose.dns import ProbeFile
from stackctl.engine.probe.probe_file import placed_probe_file
from stackctl.errors import InputError, Locked
from stackctl.model.layout import CERTBOT_CONF
from stackctl.observed.containers import Deployment
from stackctl.usecases.session import exclusive, open_stack
from tests.usecases.world import Clock, Notes, World, done

LIBRARY = """
import json, os, sys
from datetime import UTC, datetime
from pathlib import Path
from stackctl.adapters.engines import ENGINES
from stackctl.adapters.fakes.engine import FakeEngine, fake_engine
from stackctl.adapters.fakes.network import FakeNetwork
from stackctl.usecases import session
from stackctl.usecases.status import status

class Silent:
    def begin(self, operation): pass
    def end(self, operation, error): pass
    def note(self, text): pass
    def progress(self, text): pass

root = Path(sys.argv[1])
clock = lambda: datetime(2026, 8, 1, 12, tzinfo=UTC)
fake = FakeEngine(root, clock)
ENGINES["docker"] = lambda files: fake_engine(fake)
session.HostWire = lambda: fake
session.HostNetwork = lambda resolver: FakeNetwork(root, fake)
before = os.umask(0o022)
os.umask(before)
context = session.open_stack(root, report=Silent(), environ={}, clock=clock)
result = status(context)
after = os.umask(before)
print(json.dumps({
    "found": APPS,
    "cli": [name for name in sys.modules if name.startswith(("stackctl.cli", "typer", "rich"))],
    "umask": after == before,
}))
"""


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


DIGESTS = re.compile(r"[0-9a-f]{16}-[0-9a-f]{16}\.[0-9a-f]{8}")


def modes(root: Path) -> dict[str, str]:
    """The mode of each file and folder, but for certbot's own, which its container makes."""
    paths = (path for path in sorted(root.rglob("*")) if CERTBOT_CONF.path not in str(path.parent))
    return {DIGESTS.sub("ID", str(path.relative_to(root))): oct(path.lstat().st_mode) for path in paths}


def test_it_is_a_library_without_the_command_line(world: World) -> None:
    done(world.init())
    done(world.add("one.example.com"))
    code = LIBRARY.replace("APPS", "[site.name for site in result.payload.sites]")
    run = subprocess.run([sys.executable, "-c", code, str(world.root)], capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == {"found": ["one.example.com"], "cli": [], "umask": True}


def test_modes_do_not_depend_on_the_umask(tmp_path: Path) -> None:
    found: dict[int, dict[str, str]] = {}
    for mask in (0o022, 0o077, 0o002):
        world = World(tmp_path / f"{mask:o}/deep/stack", tmp_path / "cache")
        with umask(mask):
            done(world.init())
            done(world.add("one.example.com"))
            world.custom("one.example.com.conf", "add_header X-One 1;\n")
            (world.root / "nginx/custom/one.example.com.conf").chmod(0o644)
            done(world.up())
            done(world.renew("one.example.com"))
            with placed_probe_file(world.host, Deployment(), "certbot") as probe:
                assert isinstance(probe, ProbeFile)
                found[mask] = modes(world.root)
    challenges = [names.pop(next(name for name in names if "challenge/" in name)) for names in found.values()]
    assert challenges == [oct(0o100644)] * 3
    assert found[0o022] == found[0o077] == found[0o002]
    assert found[0o022][".stackctl"] == oct(0o040700)
    assert found[0o022]["nginx"] == oct(0o040755)


def test_a_folder_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir(mode=0o700)
    with umask(0o077):
        make_folder(tmp_path / "one/two/three")
        make_folder(tmp_path / "one")
    assert [oct(path.stat().st_mode & 0o777) for path in (tmp_path / "one", tmp_path / "one/two")] == ["0o700", "0o755"]
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        make_folder(tmp_path / "file")


def test_a_directory_that_is_missing(tmp_path: Path) -> None:
    missing = tmp_path / "one/two"
    with pytest.raises(InputError, match="does not exist"):
        open_stack(missing, report=Notes(), environ={})
    assert not missing.exists()
    assert open_stack(missing, report=Notes(), environ={}, create=True).directory.root == missing
    assert missing.is_dir()


def test_only_the_given_environment_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPOSE_FILE", "other.yml")
    given = {"COMPOSE_FILE": "mine.yml", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    assert open_stack(tmp_path, report=Notes(), environ=given).directory.files.main == tmp_path / "mine.yml"
    assert open_stack(tmp_path, report=Notes(), environ={}).directory.files.main == tmp_path / "docker-compose.yml"


def test_one_at_a_time(tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").touch()
    first = open_stack(tmp_path, report=Notes(), environ={}, command="stackctl up --no-issue", clock=Clock())
    second = open_stack(tmp_path, report=Notes(), environ={})
    with (
        exclusive(first, 0),
        pytest.raises(Locked, match=r"'stackctl up --no-issue' \(pid \d+, since 2026-08-01 12:00 UTC"),
        exclusive(second, 0),
    ):
        pytest.fail("two at once")
    with exclusive(second, 0):
        assert (tmp_path / ".stackctl/lock").exists()


def test_where_there_is_no_stack_no_lock_is_left(tmp_path: Path) -> None:
    context = open_stack(tmp_path, report=Notes(), environ={})
    with exclusive(context, 0):
        assert list(tmp_path.iterdir()) == []
    with exclusive(context, 0, create=True):
        assert (tmp_path / ".stackctl/lock").exists()
