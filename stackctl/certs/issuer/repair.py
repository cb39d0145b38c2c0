"""Mend lineages of the shared tree without a CA, as :mod:`~stackctl.certs.issuer.versions` judges them.

A part of the batch issuer (see :mod:`stackctl.certs.issuer`).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackctl.certs.issuer import accounts
from stackctl.certs.issuer.locks import config_lock_within
from stackctl.certs.issuer.merge import HOME, KINDS, ConfigDir, set_aside, switch, sync
from stackctl.certs.issuer.versions import judge, read_archive, read_lineage_files

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def repair_all(
    shared: ConfigDir,
    jobs: list[dict[str, Any]],
    patience: float,
    emit: Callable[..., None],
    note: Callable[[str], None],
) -> None:
    """Mend the lineages of ``jobs``, each with the text of a renewal file to write if one is needed."""
    _locked(shared, jobs, patience, emit, lambda job: _repair_one(shared, job, emit, note))


def remove_all(shared: ConfigDir, jobs: list[dict[str, Any]], patience: float, emit: Callable[..., None]) -> None:
    """Remove the lineages of ``jobs``, also what ``certbot delete`` refuses because its renewal file is damaged."""
    _locked(shared, jobs, patience, emit, lambda job: _remove_one(shared, job["lineage"], emit))


def _locked(
    shared: ConfigDir,
    jobs: list[dict[str, Any]],
    patience: float,
    emit: Callable[..., None],
    act: Callable[[dict[str, Any]], None],
) -> None:
    """Act on each job as soon as no other certbot locks the tree, at most after ``patience`` seconds."""
    with config_lock_within(shared.root, patience) as held:
        for job in jobs:
            if held:
                act(job)
            else:
                emit("failed", job["lineage"], detail=f"another certbot is running in {shared.root}")


def _remove_one(shared: ConfigDir, name: str, emit: Callable[..., None]) -> None:
    # The renewal file first: without it certbot no longer knows the lineage.
    paths = (shared.conf(name), shared.live(name), shared.pem(name, "cert", 1).parent)
    try:
        for path in paths:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    except OSError as error:
        return emit("failed", name, detail=f"not removed: {error}")
    return emit("removed", name)


def _repair_one(shared: ConfigDir, job: dict[str, Any], emit: Callable[..., None], note: Callable[[str], None]) -> None:
    name = job["lineage"]
    try:
        files = read_lineage_files(shared.root, name)
        repair = judge(name, files, lambda: read_archive(shared.root, name)).repair
        if repair is not None and repair.version is not None:
            if repair.files:
                _store(shared, name, repair.version, repair.files)
            fresh = shared.root / HOME / f"repaired-{name}"
            switch(shared, fresh, name, repair.version, note)
            _tidy(shared, name, fresh)
        if repair is not None and repair.conf:
            _write_conf(shared, name, job["conf"], job["server"], note)
        left = judge(name, read_lineage_files(shared.root, name), lambda: read_archive(shared.root, name))
    except (OSError, ValueError) as error:
        return emit("failed", name, detail=f"not repaired: {error}")
    wrong = left.problem or left.fault
    return emit("failed", name, detail=f"not repaired: {wrong}") if wrong else emit("repaired", name)


def _store(shared: ConfigDir, name: str, version: int, files: Mapping[str, bytes]) -> None:
    """Write a version into the archive; nothing reads it before a link points to it."""
    folder = shared.pem(name, "cert", version).parent
    folder.mkdir(0o755, parents=True, exist_ok=True)
    for kind, content in files.items():
        _write(shared.pem(name, kind, version), content, 0o600 if kind == "privkey" else 0o644)
    sync(folder)


def _write(path: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _tidy(shared: ConfigDir, name: str, fresh: Path) -> None:
    """Remove what the switch took out, and its journal: all links point to one version now."""
    if fresh.is_dir() and not fresh.is_symlink():
        shutil.rmtree(fresh)
    else:
        fresh.unlink(missing_ok=True)
    for kind in KINDS:
        (shared.live(name) / f"previous_{kind}.pem").unlink(missing_ok=True)


def _write_conf(shared: ConfigDir, name: str, text: str, server: str, note: Callable[[str], None]) -> None:
    conf = shared.conf(name)
    if conf.is_file():
        note(f"renewal/{name}.conf was damaged: backed up to {set_aside(shared, conf)}")
    elif os.path.lexists(conf):  # a directory, or a broken link
        home = Path(tempfile.mkdtemp(prefix=f"{conf.name}-", dir=shared.root / HOME))
        conf.rename(home / conf.name)
        note(f"renewal/{name}.conf was not a file: moved to {home}")
    found = accounts.usable(shared, server)
    if len(found) == 1:
        text = text.replace("[renewalparams]\n", f"[renewalparams]\naccount = {found[0].name}\n")
    conf.parent.mkdir(0o755, exist_ok=True)
    fresh = conf.with_name(f"{conf.name}.new")  # the name certbot uses, and removes
    fresh.unlink(missing_ok=True)
    _write(fresh, text.encode(), 0o644)
    fresh.replace(conf)
    sync(conf.parent)
