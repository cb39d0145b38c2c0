"""``python -m tests.old_stack.make``: make the fixture again, by the commit that it is named after.

It needs the lab of 'make setup', and a repository that has the commit. The tests need only the fixture.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.e2e.helpers import APP_IMAGE, BIN, LAB, ROOT, Lab, Stack, certbot
from tests.old_stack.record import record

COMMIT = "6c44457"
DIRECTORY = Path(tempfile.gettempdir()) / "stackctl-lab-old"
ADDRESS = "127.0.0.49"


@dataclass
class MadeByOldVersion(Stack):
    """A stack whose commands are the old version's."""

    program: Path = Path()

    def command(self, *arguments: str | Path) -> list[str]:
        return [str(self.program), *map(str, arguments)]


def main() -> None:
    """Install the old version, let it make a stack, and record what it made."""
    with tempfile.TemporaryDirectory() as folder, _stack(_installed(Path(folder))) as stack:
        version = stack.ok("--version").stdout.split()[-1]
        _build(stack)
        archive = Path(folder) / "old.tar.gz"
        stack.ok("backup", archive)
        certbot_loop = stack.container("certbot")
        subprocess.run(["docker", "stop", certbot_loop], check=True, capture_output=True, timeout=60)
        record(stack, archive.read_bytes(), version, COMMIT, datetime.now(UTC).replace(microsecond=0))


def _installed(folder: Path) -> Path:
    """The command of that commit, from its wheel."""
    archived = subprocess.run(["git", "archive", COMMIT], cwd=ROOT, capture_output=True, check=True, timeout=60)
    with tarfile.open(fileobj=io.BytesIO(archived.stdout)) as tar:
        tar.extractall(folder / "source", filter="data")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    wheel = [*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(folder / "source")]
    subprocess.run(wheel, check=True, timeout=300)
    (made,) = folder.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True, timeout=120)
    python = folder / "venv/bin/python"
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", str(made)], check=True, timeout=300)
    (python.parent / "docker-compose").symlink_to(BIN / "docker-compose")
    return python.parent / "stackctl"


@contextmanager
def _stack(program: Path) -> Iterator[MadeByOldVersion]:
    lab = Lab((LAB / "ca/directory").read_text().strip(), LAB / "ca/ca.pem", root="")
    stack = MadeByOldVersion(lab, DIRECTORY, ADDRESS, "old", program=program)
    stack.remove()
    DIRECTORY.mkdir()
    try:
        yield stack
    finally:
        stack.remove()


def _build(stack: MadeByOldVersion) -> None:
    """Two apps, a name more, files of the user's own, an edit, and a certificate that was renewed since."""
    stack.init()
    one, alias = stack.domain("one"), f"www.{stack.domain('one')}"
    stack.add_dns(one, alias)
    stack.ok("add-app", one, "--alias", alias, "--image", APP_IMAGE)
    stack.add("two")
    custom = stack.directory / "nginx/custom"
    (custom / f"{one}.conf").write_text('add_header X-Site "one" always;\n')
    (custom / "http.conf").write_text("map $http_user_agent $is_robot {\n    default 0;\n    ~*bot 1;\n}\n")
    stack.ok("up")
    stack.edit("x-stackctl:\n  email", "x-stackctl:\n  tls: modern\n  email")
    stack.edit("# ", "# Edited by hand.\n# ")
    stack.ok("up")
    certbot(stack.container("certbot"), "renew", "--cert-name", one, "--force-renewal", "--no-random-sleep-on-renew")
    stack.ok("up")
    shown = json.loads(stack.ok("status", "--output", "json").stdout)
    assert [app["served"] for app in shown["apps"]] == ["real", "real"], shown


if __name__ == "__main__":
    if shutil.which("docker") is None:
        sys.exit("there is no docker: run 'make setup' first")
    main()
