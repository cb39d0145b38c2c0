"""A one-time probe file in the webroot: fetching it proves that the request reached this proxy."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from stackctl.adapters.disk.files import make_folder, open_new
from stackctl.diagnose.dns import ProbeFile
from stackctl.engine.context import Context
from stackctl.errors import StackctlError
from stackctl.model.layout import CHALLENGES, WEBROOT
from stackctl.observed.containers import Deployment

BEGINNING = "stackctl-"
"""The prefix of the file's name, which identifies files that a killed process left behind."""

_WRITE = 'mkdir -p "$1" && set -C && printf %s "$3" >"$1/$2" && chmod 644 "$1/$2"'
_REMOVE = 'rm -f "$1/$2"'


@contextmanager
def placed_probe_file(context: Context, containers: Deployment, certbot: str) -> Iterator[ProbeFile | str]:
    """Place a probe file and yield it, or why it could not be written; remove it afterwards.

    certbot created the directory, so it may belong to root: then the certbot container writes the file.
    """
    name, text = f"{BEGINNING}{secrets.token_hex(8)}", secrets.token_hex(16)
    webroot = context.directory.root / WEBROOT.path
    folder = webroot / CHALLENGES
    made: list[Path] = []
    through: str | None = None
    try:
        try:
            made = _make(webroot, folder)
            with os.fdopen(open_new(folder / name), "wb") as file:
                file.write(text.encode("ascii"))
                os.fchmod(file.fileno(), 0o644)
        except PermissionError:
            running = containers.running(certbot)
            through = None if running is None else running.id
            _in_container(context, through, [_WRITE, "sh", (WEBROOT / CHALLENGES).mount, name, text])
    except (OSError, StackctlError) as error:
        _remove_directories(made)
        yield f"the challenge directory is not writable: {error}"
        return
    try:
        yield ProbeFile(f"/{CHALLENGES}/{name}", text)
    finally:
        if through is None:
            (folder / name).unlink(missing_ok=True)
            _remove_directories(made)
        else:
            with suppress(StackctlError):
                _in_container(context, through, [_REMOVE, "sh", (WEBROOT / CHALLENGES).mount, name])


def _make(webroot: Path, folder: Path) -> list[Path]:
    """Create the directory, and return the directories that were missing, the innermost first."""
    made = [path for path in (folder, folder.parent) if not path.is_dir()]
    webroot.stat()  # without a webroot the proxy has nothing mounted
    make_folder(folder)
    return made


def _remove_directories(made: Sequence[Path]) -> None:
    for path in made:
        with suppress(OSError):  # certbot has written something there meanwhile
            path.rmdir()


def _in_container(context: Context, container: str | None, arguments: list[str]) -> None:
    if container is None:
        raise StackctlError("permission denied, and no certbot container is running that could write it")
    done = context.containers.execute(container, ["sh", "-c", *arguments])
    if done.code:
        raise StackctlError(done.text.strip() or f"sh ended with {done.code}")
