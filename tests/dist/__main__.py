"""``python -m tests.dist FOLDER``: build the wheel and the sdist into an empty folder and check both."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from tests.dist.contents import ROOT, sdist_problems, wheel_problems


def build(folder: Path, source: Path = ROOT) -> tuple[Path, Path]:
    """Build into ``folder``, which is emptied first: the wheel and the sdist. The wheel is made from the sdist."""
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "build", "--outdir", str(folder), str(source)]
    subprocess.run(command, check=True, timeout=600, stdout=subprocess.DEVNULL)
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, sdist


def main() -> None:
    """Build, check the metadata and the README with twine, and compare the contents with the repository."""
    parser = argparse.ArgumentParser(prog="python -m tests.dist")
    parser.add_argument("folder", type=Path)
    wheel, sdist = build(parser.parse_args().folder.absolute())
    twine = [sys.executable, "-m", "twine", "check", "--strict", str(wheel), str(sdist)]
    subprocess.run(twine, check=True, timeout=120)
    problems = wheel_problems(wheel) + sdist_problems(sdist)
    if problems:
        sys.exit("\n".join(problems))
    for made in (wheel, sdist):
        print(f"{made}: complete, {made.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
