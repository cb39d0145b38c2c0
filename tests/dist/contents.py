"""What the wheel and the sdist must hold: every file of the repository that belongs there, and nothing else."""

from __future__ import annotations

import subprocess
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PACKAGE = ("stackctl",)
ASSETS = ("compose", "nginx", "haproxy", "ui")
_METADATA = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}


def tracked(*paths: str) -> set[str]:
    """The files below ``paths`` that git tracks and that are on disk."""
    done = subprocess.run(
        ["git", "ls-files", "-z", "--", *paths], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    return {name for name in done.stdout.split("\0") if name and (ROOT / name).exists()}


def wheel_problems(wheel: Path) -> list[str]:
    """Return the files that are missing from a wheel, and those that must not be in it."""
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if not name.endswith("/")}
    name, version, *_ = wheel.name.split("-")
    metadata = {f"{name}-{version}.dist-info/{file}" for file in _METADATA}
    assets = {f"stackctl/_assets/{file}" for file in tracked(*ASSETS)}
    return _differences(wheel, packed, tracked(*PACKAGE) | assets | metadata)


def sdist_problems(sdist: Path) -> list[str]:
    """Return the files that are missing from an sdist of the whole repository, and those that must not be in it."""
    top = sdist.name.removesuffix(".tar.gz")
    with tarfile.open(sdist) as archive:
        packed = {member.name for member in archive.getmembers() if not member.isdir()}
    return _differences(sdist, packed, {f"{top}/{file}" for file in {*tracked("."), "PKG-INFO"}})


def _differences(archive: Path, packed: Iterable[str], expected: Iterable[str]) -> list[str]:
    there, wanted = set(packed), set(expected)
    missing = [f"{archive.name}: {name} is missing" for name in sorted(wanted - there)]
    return missing + [f"{archive.name}: {name} must not be in it" for name in sorted(there - wanted)]
