"""The issuer as one text for ``python3 -``, and its entry point.

A part of the batch issuer (see :mod:`stackctl.certs.issuer`).
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackctl.certs.issuer.accounts import binding, option
from stackctl.certs.issuer.batch import BatchIssuer, Job
from stackctl.certs.issuer.locks import only_one
from stackctl.certs.issuer.merge import HOME, ConfigDir
from stackctl.certs.issuer.repair import remove_all, repair_all
from stackctl.certs.issuer.single import run_single
from stackctl.certs.issuer.worker import NOTHING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LETSENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
# `certbot renew` without a terminal sleeps up to eight minutes while it holds its lock.
PATIENCE = 900.0
MODULES = ("pair", "versions", "merge", "locks", "worker", "single", "accounts", "repair", "batch", "program")


FIND_PYTHON = """\
set -f
line=$(head -n 1 "$(command -v certbot)" | tr -d '\\000\\r')
case $line in '#!'*) set -- ${line#??} ;; esac
case ${1-} in */env) shift; if [ "${1-}" = -S ]; then shift; fi ;; esac
case ${1-} in *python*) ;; *) set -- python3 ;; esac
"""
"""Shell commands that set ``$@`` to the Python that has certbot: the one that the first line of the ``certbot``
command names, or else ``python3``."""

COMMAND = ("sh", "-c", f'{FIND_PYTHON}exec "$@" -u -\n')
"""Runs :func:`text` on its standard input with the Python that has certbot."""


SETTINGS = ("pair", "versions", "merge", "locks", "settings")
"""The modules that replace settings."""


def text(spec: dict[str, Any], modules: tuple[str, ...] = MODULES) -> str:
    """Return ``modules`` as one text for ``python3 -``, which then runs the function ``main`` of the last one."""
    here = Path(__file__)
    sources = {f"stackctl.certs.issuer.{name}": here.with_name(f"{name}.py").read_text() for name in modules}
    return (
        "import json, sys, types\n"
        f"sources = json.loads({json.dumps(sources)!r})\n"
        "for name in ('stackctl', 'stackctl.certs', 'stackctl.certs.issuer', *sources):\n"
        "    module = sys.modules[name] = types.ModuleType(name)\n"
        "    module.__path__ = []\n"
        "    exec(compile(sources.get(name, ''), name, 'exec'), module.__dict__)\n"
        f"raise SystemExit(module.main(json.loads({json.dumps(spec)!r})))\n"
    )


@contextlib.contextmanager
def webroots(jobs: list[Job]) -> Iterator[None]:
    """Keep the challenge directories while the jobs run.

    certbot removes each directory it made when it is done, perhaps just before another child writes
    there. It does not remove those it found; the placeholder stops a certbot that started earlier.
    """
    keep = []
    for root in sorted({Path(w) for job in jobs for w in option(job.argv, "-w", "--webroot-path")}):
        with contextlib.suppress(OSError):
            owner = root.stat()
            for path in (root / ".well-known", root / ".well-known" / "acme-challenge"):
                if not path.exists():
                    path.mkdir(0o755)
                    os.chown(path, owner.st_uid, owner.st_gid)
            keep.append(path / HOME)
            keep[-1].touch()
    try:
        yield
    finally:
        for path in keep:
            path.unlink(missing_ok=True)


def main(spec: dict[str, Any]) -> int:
    """Run the jobs of a specification, and report each event as one line of JSON.

    ``config_dir`` and ``jobs`` (each with ``lineage`` and ``argv``) are required; instead of jobs, ``repairs``
    (each with ``lineage``, ``conf``, ``server``) and ``removals`` (each with ``lineage``) ask no CA. ``concurrency``
    is the number of jobs at once, ``patience`` how many seconds to wait for another certbot, ``eab`` the external
    account binding (``kid``, ``hmac_key``) to register with, by the CA's directory URL.

    Returns 0 if the run completed, even if single jobs failed; 1 if it could not run.
    """
    # Only events may be written to the standard output.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def emit(event: str, lineage: str | None = None, **fields: object) -> None:
        line = {"event": event, **({"lineage": lineage} if lineage else {}), **NOTHING, **fields}
        with contextlib.suppress(BrokenPipeError):  # the reader is gone: finish the work
            out.write(json.dumps(line) + "\n")
            out.flush()

    def note(text: str) -> None:
        emit("note", detail=text)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    shared = ConfigDir(Path(spec["config_dir"]))
    patience = float(spec.get("patience", PATIENCE))
    if "repairs" in spec or "removals" in spec:
        return _mend(shared, spec, patience, emit, note)
    jobs = []
    for job in spec["jobs"]:
        jobs.append(Job(job["lineage"], job["argv"], (option(job["argv"], "--server") or [LETSENCRYPT])[-1]))
        emit("queued", job["lineage"])
    try:
        with only_one(shared.root / HOME, patience, note), webroots(jobs):
            try:
                importlib.import_module("certbot.main")
            except Exception as error:  # noqa: BLE001 - a broken certbot may raise anything
                note(
                    f"{sys.executable} cannot import certbot ({error}): "
                    "falling back to the certbot command, one certificate at a time"
                )
                for job in jobs:
                    argv = [*job.argv, *binding(spec.get("eab", {}).get(job.server, {}))]
                    run_single(job.lineage or "", argv, shared, patience, emit)
                return 0
            issuer = BatchIssuer(shared, int(spec.get("concurrency", 16)), patience, emit)
            issuer.eab = spec.get("eab", {})
            try:
                issuer.recover()
                issuer.work_off(issuer.register(jobs))
                issuer.work_off(issuer.register_again())
            except SystemExit:
                issuer.stop()
                raise
            with contextlib.suppress(OSError):
                issuer.run_dir.rmdir()
    except OSError as error:
        note(f"the issuer cannot use {shared.root}: {error}")
        return 1
    return 0


def _mend(
    shared: ConfigDir,
    spec: dict[str, Any],
    patience: float,
    emit: Callable[..., None],
    note: Callable[[str], None],
) -> int:
    try:
        with only_one(shared.root / HOME, patience, note):
            repair_all(shared, spec.get("repairs", []), patience, emit, note)
            remove_all(shared, spec.get("removals", []), patience, emit)
    except OSError as error:
        note(f"the issuer cannot use {shared.root}: {error}")
        return 1
    return 0
