"""Faults of the disk: full at every write, read-only; and a damaged certbot tree."""

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
    """Run the whole family."""
    if os.geteuid() == 0:
        with mounted("8m") as disk, bed(run, parent=disk) as one:
            small(one, disk)
        if not run.quick:
            with mounted("8m") as disk, bare(run, parent=disk) as one:
                first(one, disk)
    else:
        with recorded(run, FAMILY, "full, read-only") as row:
            row.skipped, row.meanwhile = True, "not run: mounting needs root"
    with bed(run) as one:
        tree(one)


def small(one: Bed, disk: Path) -> None:
    """Increase the free space page by page until the command succeeds."""
    name = one.name("app")
    add = ["add-app", name, "--image", APP_IMAGE, "--no-issue"]
    fits = filled(one, disk, add, range(0, MOST, 3 if one.run.quick else 1), lambda: one.away(name))
    if not one.run.quick:
        # certbot has many small writes.
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
    """Add the rows of ``command`` with so many free pages; return how many were enough."""
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
    """Run ``init`` on a full disk: there is no site yet, so only the state is compared."""
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
    """Run ``command`` with ``space`` free pages."""
    ballast = _fill_up(disk)
    with ballast.open("r+b") as file:
        file.truncate(max(ballast.stat().st_size - space * PAGE, 0))
    return one.stack.run(*command)


def _full(command: list[str], space: int) -> str:
    kind = " --no-issue" if "--no-issue" in command else " --force" if "--force" in command else ""
    return f"full but for {space} pages: `{command[0]}{kind}`"


def _stopped(done: Done) -> str:
    assert done.returncode in {0, 5, 6, 7}, ended(done)
    assert "internal error" not in done.stderr, ended(done)
    return ended(done)


def tree(one: Bed) -> None:
    """Run ``up`` on a damaged lineage, which it repairs."""
    name = one.add("app")
    expected = one.state()
    conf = one.stack.directory / "data/certbot/conf"
    archive, renewal = conf / "archive" / name, conf / f"renewal/{name}.conf"

    def cut(path: Path) -> Callable[[], None]:
        return lambda: os.truncate(path, path.stat().st_size // 2)

    def copied() -> None:
        """Replace links by copies, as ``cp -rL`` does."""
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
        "live/ with copies instead of links": copied,
        "archive/ with another owner, mode 000": alter(12345, 0),
        "archive/ with another owner, mode 666": alter(12345, 0o666),
    }
    for what, inject in injected.items():
        if not one.run.quick or "missing" in what or "fullchain" in what:
            disturbed(one, what, inject, name, expected)


def disturbed(one: Bed, what: str, inject: Callable[[], None], name: str, expected: dict[str, object]) -> None:
    """Damage certbot's tree, run the proxy's own loop on it, repair it with ``up``; certbot can then renew."""
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
        # The folder is a mount point: replace its contents, not the folder.
        subprocess.run(["find", conf, "-mindepth", "1", "-delete"], check=True, timeout=20)
        subprocess.run(["cp", "-a", f"{kept}/.", conf], check=True, timeout=20)
        shutil.rmtree(kept)
        one.stack.run("up")
        docker("exec", one.stack.container("nginx"), "nginx", "-s", "reload")
