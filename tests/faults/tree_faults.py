"""certbot's tree, damaged in every file: the site stays served, and one 'up' makes the tree whole again."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.e2e.helpers import docker, wait_until
from tests.faults.bed import Bed, Run, bed
from tests.faults.case import case

FAMILY = "tree"
_KINDS = ("cert", "chain", "fullchain", "privkey")
_HOOK = ("sh", "/var/lib/stackctl/copy-certificates")


def _delete(path: Path) -> None:
    path.unlink()


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _truncate(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _overwrite(path: Path) -> None:
    path.write_bytes(b"\0" * 500)


def _replace_by_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, Callable[[Path], None]] = {
    "deleted": _delete,
    "emptied": _empty,
    "truncated": _truncate,
    "overwritten": _overwrite,
    "a directory": _replace_by_directory,
}


def rows(run: Run) -> None:
    """Run the whole family."""
    with bed(run) as one:
        name = one.add("app")
        expected = one.state()
        files = [f"live/{name}/{kind}.pem" for kind in _KINDS]
        files += [f"archive/{name}/{kind}{{version}}.pem" for kind in _KINDS]
        files.append(f"renewal/{name}.conf")
        damages = [("deleted", files[3]), ("truncated", files[6])] if run.quick else None
        for what, path in damages or [(what, path) for path in files for what in DAMAGES]:
            shown = path.replace(name, "NAME").replace("{version}", "N")
            case(
                one,
                FAMILY,
                f"{shown}: {what}",
                broken=partial(damaged, one, name, path, DAMAGES[what]),
                again=["up"],
                expected=expected,
                check=partial(well, one, name),
            )


def damaged(one: Bed, name: str, path: str, damage: Callable[[Path], None]) -> str:
    """Damage one file, let the hook see it, and load the proxy's files again."""
    conf = one.stack.live.parent
    version = (conf / "live" / name / "cert.pem").resolve().stem.removeprefix("cert")
    damage(conf / path.format(version=version))
    serial = one.stack.serial(name)
    container = one.stack.container("certbot")
    one.stack.run("status")
    docker("exec", container, "sh", "-c", f"{' '.join(_HOOK)} || true")
    docker("exec", one.stack.container("nginx"), "nginx", "-e", "/dev/stderr", "-t", "-q")
    assert one.stack.serial(name) == serial, "the site keeps its certificate"
    return "the site keeps its certificate"


def well(one: Bed, name: str) -> None:
    """Wait until the site is trusted, and 'doctor' has nothing to say about it."""
    wait_until(lambda: one.stack.trusted(name), 20, "the site is trusted")
    one.stack.ok("doctor", name)
