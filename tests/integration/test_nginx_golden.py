"""``nginx -t`` of every golden set, by the nginx of each version it was rendered for."""

from __future__ import annotations

import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stackctl.certs.dummy import make_dummy
from tests.unit.adopted import FRAGMENTS, NAME, files_of
from tests.unit.goldens import CASES, FOLDER, VERSIONS

pytestmark = pytest.mark.e2e

# One container tests all sets: each is copied to nginx's directory in turn.
SCRIPT = """\
for case in /golden/*/; do
  name=$(basename "$case")
  [ -d "$case/$VERSION" ] || continue
  rm -rf /etc/nginx/* && cp -r "$case/$VERSION/." /etc/nginx/
  if nginx -e /dev/stderr -t -q >/tmp/said 2>&1; then echo "$name: passed"; else echo "$name: failed"; fi
  sed "s/^/$name| /" /tmp/said
done
"""


WRITABLE = ("/etc/nginx", "/run", "/tmp", "/var/cache/nginx")
"""The tmpfs mounts of the proxy service, and the directory the script copies the sets to."""


def certificates(root: Path) -> None:
    """Create the certificate files that the golden sets name."""
    for conf in FOLDER.rglob("*.conf"):
        for path in re.findall(r"ssl_certificate (\S+)/fullchain\.pem;", conf.read_text(encoding="utf-8")):
            folder = root / path.lstrip("/")
            if not folder.exists():
                folder.mkdir(parents=True)
                chain, key = make_dummy([folder.name], datetime.now(UTC))
                (folder / "fullchain.pem").write_bytes(chain)
                (folder / "privkey.pem").write_bytes(key)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("certificates")
    certificates(made)
    for parent in ("etc/letsencrypt/live", "var/lib/stackctl/pairs/lineages"):
        adopted = made / parent / NAME
        adopted.mkdir(parents=True, exist_ok=True)
        for kind, content in zip(("fullchain", "privkey"), make_dummy([NAME], datetime.now(UTC)), strict=True):
            (adopted / f"{kind}.pem").write_bytes(content)
    folder = made / "var/lib/stackctl/pairs/stored"
    for name in (NAME, "app2.example.com", "one.example.com"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for kind, content in zip(("fullchain", "privkey"), make_dummy([name], datetime.now(UTC)), strict=True):
            (folder / name / f"{kind}.pem").write_bytes(content)
    return made


def test_nginx_accepts_adopted_configurations(root: Path, tmp_path: Path) -> None:
    """nginx accepts what adoption renders from every foreign configuration."""
    taken = [path for path in FRAGMENTS if path.stem != "imported"]  # its certificate does not exist
    for path in taken:
        for name, content in files_of(path).items():
            at = tmp_path / path.stem / "1.30" / name
            at.parent.mkdir(parents=True, exist_ok=True)
            at.write_bytes(content)
    (tmp_path / "balanced/1.30/custom").mkdir()
    (tmp_path / "balanced/1.30/custom/htpasswd").write_text("")
    said = run("1.30", tmp_path, root)
    outcomes = dict(re.findall(r"^(\w+): (passed|failed)$", said, re.MULTILINE))
    assert outcomes == dict.fromkeys([path.stem for path in taken], "passed"), said


@pytest.mark.parametrize("version", VERSIONS)
def test_nginx_accepts_every_golden_set(version: str, root: Path) -> None:
    said = run(version, FOLDER, root)
    outcomes = dict(re.findall(r"^(\w+): (passed|failed)$", said, re.MULTILINE))
    assert outcomes == dict.fromkeys([name for name, case in CASES.items() if version in case.versions], "passed"), said
    # A warning is often a directive that the next version rejects.
    # nginx has no directive for the size of this table, and takes a larger one.
    assert "[warn]" not in re.sub(r".*grpc_headers_hash.*", "", said), said


def run(version: str, sets: Path, root: Path) -> str:
    """Return the output of nginx for every set in a folder."""
    mounts = [
        f"{sets}:/golden:ro",
        f"{root}/var/lib/stackctl:/var/lib/stackctl:ro",
        f"{root}/etc/letsencrypt:/etc/letsencrypt:ro",
    ]
    done = subprocess.run(
        [
            *["docker", "run", "--rm", "--network", "none", "--env", f"VERSION={version}"],
            *[part for path in WRITABLE for part in ("--tmpfs", path)],
            *[part for mount in mounts for part in ("--volume", mount)],
            *["--entrypoint", "/bin/sh", f"stackctl/nginx:{version}", "-c", SCRIPT],
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return done.stdout + done.stderr
