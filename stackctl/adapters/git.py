"""Asks git about the repository that a directory is in."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

_SECONDS = 10.0


def find_repository(root: Path) -> Path | None:
    """Return the work tree of the git repository that ``root`` is in, or None."""
    here = root.absolute()
    return next((path for path in (here, *here.parents) if os.path.lexists(path / ".git")), None)


def tracked_files(root: Path, paths: Sequence[str]) -> tuple[str, ...] | None:
    """Return the files below ``paths`` that git tracks; None where git cannot be asked."""
    return _list_files(root, paths, "--cached")


def unignored_files(root: Path, paths: Sequence[str]) -> tuple[str, ...] | None:
    """Return what ``git add`` would add of ``paths``; None where git cannot be asked."""
    return _list_files(root, paths, "--others", "--exclude-standard")


def _list_files(root: Path, paths: Sequence[str], *options: str) -> tuple[str, ...] | None:
    # GIT_DIR and the like name another repository; fsmonitor would run a program that the repository names.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    command = ["git", "-c", "core.fsmonitor=false", "ls-files", "-z", *options, "--", *paths]
    try:
        done = subprocess.run(  # noqa: S603  (a fixed argv)
            command,
            cwd=root,
            env=environment,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode:
        return None
    return tuple(os.fsdecode(name) for name in done.stdout.split(b"\0") if name)
