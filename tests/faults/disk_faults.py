"""The disk: full at every write, read-only; and certbot's tree as a careless hand leaves it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.e2e.helpers import APP_IMAGE, certbot, docker, wait_until
from tests.e2e.test_obstacles import _fill_up, mounted
from tests.faults.bed import Bed, Run, bare, bed, differences
from tests.faults.case import Done, case, ended, recorded
from tests.faults.kills import empty

FAMILY = "disk"
PAGE = 4096
MOST = 48


def rows(run: Run) -> None:
    """The whole family."""
    if os.geteuid() == 0:
        with mounted("8m") as disk, bed(run, parent=disk) as one:
            small(one, disk)
        if not run.quick:
            with mounted("8m") as disk, bare(run, parent=disk) as one:
                first(one, disk)
    else:
        with recorded(run, FAMILY, "full, read-only") as row:
            row.skipped, row.meanwhile = True, "not run: mounting takes root"
    with bed(run) as one:
        tree(one)


def small(one: Bed, disk: Path) -> None:
    """One page more of free space each time, until the command has enough."""
    name = one.name("app")
    add = ["add-app", name, "--image", APP_IMAGE, "--no-issue"]
    fits = filled(one, disk, add, range(0, MOST, 3 if one.run.quick else 1), lambda: one.away(name))
    if not one.run.quick:
        # certbot's writes, which are many and small.
        filled(one, disk, add[:-1], range(fits, fits + MOST, 4), lambda: one.away(name))
    one.stack.ok(*add)
    expected = one.state()
    one.away(name)
    if not one.run.quick:
        renewed = one.add("renewed")
        filled(one, disk, ["renew", "--force", renewed], range(0, MOST, 4))
        one.away(renewed)

    def remount(mode: str) -> bool:
        return subprocess.run(["mount", "-o", f"remount,{mode}", disk], check=False, timeout=20).returncode == 0

    def read_only() -> str:
        wait_until(lambda: remount("ro"), 10, "nothing is being written")
        return _stopped(one.stack.run(*add))

    def mend() -> None:
        assert remount("rw")

    case(one, FAMILY, "read-only", broken=read_only, mend=mend, again=add, expected=expected)


def filled(one: Bed, disk: Path, command: list[str], spaces: range, undo: Callable[[], object] = lambda: None) -> int:
    """Rows of ``command`` with so many pages free; returns how many were enough."""
    one.stack.ok(*command)
    expected = one.state()
    undo()
    for space in spaces:
        codes: list[int] = []

        def broken(space: int = space, codes: list[int] = codes) -> str:
            done = squeezed(one, disk, command, space)
            codes.append(done.returncode)
            return _stopped(done)

        def mend() -> None:
            (disk / "ballast").unlink()

        case(one, FAMILY, _full(command, space), broken=broken, mend=mend, again=command, expected=expected)
        undo()
        if codes == [0]:
            return space
    return spaces.stop


def first(one: Bed, disk: Path) -> None:
    """``init`` on a disk that is full: there is no site yet, so the state is what counts."""
    command = one.stack.init_arguments()
    one.stack.ok(*command)
    expected = one.state()
    empty(one.stack)
    for space in range(0, MOST, 4):
        with recorded(one.run, FAMILY, _full(command, space)) as row:
            try:
                done = squeezed(one, disk, command, space)
                row.meanwhile = _stopped(done)
            finally:
                (disk / "ballast").unlink(missing_ok=True)
            again = one.stack.run(*command)
            wrong = differences(one.state(), expected)
            row.held = again.returncode == 0 and not wrong and one.stack.refused("nobody.example.com")
            row.after = f"{ended(again)}; {f'differs: {wrong}' if wrong else 'as undisturbed'}"
        empty(one.stack)
        if row.meanwhile == "exit 0":
            return


def squeezed(one: Bed, disk: Path, command: list[str], space: int) -> Done:
    """Run ``command`` with ``space`` pages free."""
    ballast = _fill_up(disk)
    with ballast.open("r+b") as file:
        file.truncate(max(ballast.stat().st_size - space * PAGE, 0))
    return one.stack.run(*command)


def _full(command: list[str], space: int) -> str:
    kind = " --no-issue" if "--no-issue" in command else " --force" if "--force" in command else ""
    return f"full but for {space} pages: `{command[0]}{kind}`"


def _stopped(done: Done) -> str:
    assert done.returncode in {0, 5, 6, 7}, ended(done)
    assert "a fault in stackctl itself" not in done.stderr, ended(done)
    return ended(done)


def tree(one: Bed) -> None:
    """``up`` finds a lineage that is not as certbot left it, and gets it back into shape."""
    name = one.add("app")
    expected = one.state()
    conf = one.stack.directory / "data/certbot/conf"
    archive, renewal = conf / "archive" / name, conf / f"renewal/{name}.conf"

    def cut(path: Path) -> Callable[[], None]:
        return lambda: os.truncate(path, path.stat().st_size // 2)

    def copied() -> None:
        """What ``cp -rL`` of a tree leaves."""
        live = conf / "live"
        shutil.copytree(live, conf / "live.copy", symlinks=False)
        shutil.rmtree(live)
        (conf / "live.copy").rename(live)

    def alter(owner: int, mode: int) -> Callable[[], None]:
        def change() -> None:
            for path in archive.iterdir():
                os.chown(path, owner, owner)
                path.chmod(mode)

        return change

    injected = {
        "fullchain.pem truncated": cut(archive / "fullchain1.pem"),
        "privkey.pem truncated": cut(archive / "privkey1.pem"),
        "renewal/*.conf truncated": cut(renewal),
        "renewal/*.conf missing": renewal.unlink,
        "live/ a plain copy instead of links": copied,
        "archive/ of another owner, mode 000": alter(12345, 0),
        "archive/ of another owner, mode 666": alter(12345, 0o666),
    }
    for what, inject in injected.items():
        if not one.run.quick or "missing" in what or "fullchain" in what:
            disturbed(one, what, inject, name, expected)


def disturbed(one: Bed, what: str, inject: Callable[[], None], name: str, expected: dict[str, object]) -> None:
    """Break certbot's tree, let the proxy's own loop look at it, mend it by ``up``; then certbot can renew."""
    conf = one.stack.directory / "data/certbot/conf"
    kept = conf.with_name("conf.kept")
    subprocess.run(["cp", "-a", conf, kept], check=True, timeout=20)

    def broken() -> str:
        inject()
        test = ["docker", "exec", one.stack.container("nginx"), "nginx", "-t", "-q"]
        fine = subprocess.run(test, capture_output=True, check=False, timeout=20).returncode == 0
        return f"nginx -t {'passes' if fine else 'fails'}"

    def renews() -> None:
        force = ("--cert-name", name, "--force-renewal", "--no-random-sleep-on-renew")
        certbot(one.stack.container("certbot"), "renew", *force)

    try:
        case(one, FAMILY, what, broken=broken, again=["up"], expected=expected, check=renews)
    finally:
        # The folder itself is mounted: its content changes, it stays.
        subprocess.run(["find", conf, "-mindepth", "1", "-delete"], check=True, timeout=20)
        subprocess.run(["cp", "-a", f"{kept}/.", conf], check=True, timeout=20)
        shutil.rmtree(kept)
        one.stack.run("up")
        docker("exec", one.stack.container("nginx"), "nginx", "-s", "reload")
