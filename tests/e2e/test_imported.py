"""A certificate of the user's own: served, replaced and removed under load, beside a real CA."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.authority import Authority, Made
from tests.e2e.conftest import NewStack
from tests.e2e.helpers import APP_IMAGE, Stack, docker, wait_until
from tests.e2e.load import Tally, load

pytestmark = pytest.mark.e2e

CA = Authority()
ROOTS = CA.root.pem.decode()
HOOK = ("sh", "/var/lib/stackctl/copy-certificates")
SECONDS = 2.0
"""Within these the new serial is on the wire, once the new pair is on disk."""


class Own:
    """A site, and the files of its certificate."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack, self.folder, self.name = stack, folder, stack.domain("one")
        self.stored = stack.directory / f"data/certbot/deploy/pairs/stored/{self.name}"

    def leaf(self, *names: str, **more: Any) -> Made:
        more = {"begins": datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1), **more}
        return CA.leaf(*(names or (self.name,)), **more)

    def written(self, leaf: Made, key: Made | None = None) -> list[str | Path]:
        cert, private = self.folder / "given.pem", self.folder / "given.key"
        cert.write_bytes(CA.middle.pem + leaf.pem)  # in the wrong order
        private.write_bytes((key or leaf).key_pem())
        return ["--cert", cert, "--key", private]

    def bring(self, leaf: Made) -> str:
        return self.stack.ok("cert", "import", self.name, *self.written(leaf)).stdout

    @property
    def serial(self) -> int:
        return self.stack.serial(self.name)


@contextmanager
def watched(own: Own, serial: int) -> Iterator[list[float]]:
    """The times after the switch of the pair on disk at which the wire first showed ``serial``."""
    seen, over = list[float](), threading.Event()

    def look() -> None:
        while not seen and not over.wait(0.02):
            if own.serial == serial:
                seen.append(time.time() - own.stored.lstat().st_mtime)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join(20)


@pytest.fixture(scope="module")
def own(new_stack: NewStack, tmp_path_factory: pytest.TempPathFactory) -> Own:
    """A site that was served with its own certificate from the first moment."""
    stack = new_stack()
    stack.init()
    made = Own(stack, tmp_path_factory.mktemp("given"))
    stack.add_dns(made.name)
    leaf = made.leaf()
    made.bring(leaf)
    stack.ok("add-app", made.name, "--image", APP_IMAGE)
    made.bring(leaf)
    assert made.serial == leaf.certificate.serial_number
    assert stack.lineages() == [], "no CA was asked"
    return made


def served(tally: Tally) -> None:
    assert tally.lost == []
    assert tally.served > 20


def test_it_is_replaced_without_a_lost_request(own: Own) -> None:
    leaf = own.leaf(lifetime=timedelta(days=200))
    with load(own.stack, own.name, roots=ROOTS) as tally, watched(own, leaf.certificate.serial_number) as seen:
        said = own.bring(leaf)
    served(tally)
    assert seen
    assert seen[0] < SECONDS
    assert f"serial {leaf.serial}" in said
    key = own.stack.directory / f"data/certs/{own.name}/privkey.pem"
    assert oct(key.stat().st_mode & 0o777) == "0o600"
    assert oct((own.stored / "privkey.pem").stat().st_mode & 0o777) == "0o600"
    before = own.stack.state()
    assert "nothing changed" in own.bring(leaf)
    assert own.stack.state() == before


def test_a_wrong_pair_changes_nothing(own: Own) -> None:
    before = own.stack.state(), own.serial
    for words, leaf, key in (
        ("does not fit", own.leaf(), own.leaf()),
        ("does not cover", own.leaf("other.example.com"), None),
        ("expired", own.leaf(lifetime=timedelta(minutes=1)), None),
    ):
        assert words in own.stack.fails(2, "cert", "import", own.name, *own.written(leaf, key)).stderr
    assert (own.stack.state(), own.serial) == before


def shown(own: Own) -> int | None:
    try:
        return own.serial
    except OSError:
        return None


def test_it_is_served_after_a_restart_without_stackctl(own: Own) -> None:
    before = own.serial
    docker("restart", "--time", "2", own.stack.container("nginx"))
    wait_until(lambda: shown(own) == before, what="the proxy serves it after a restart")


def test_the_ca_takes_its_place_without_a_lost_request(own: Own) -> None:
    with load(own.stack, own.name, roots=ROOTS) as tally:
        own.stack.ok("cert", "remove", own.name, "--yes")
    served(tally)
    assert own.stack.trusted(own.name)
    assert own.stack.lineages() == [own.name]
    assert "certificate: imported" not in own.stack.file.read_text()
    assert not own.stored.exists()
    assert "nothing to do" in own.stack.ok("up").stdout


def test_the_container_keeps_an_export_fresh(own: Own) -> None:
    own.stack.ok("cert", "export", own.name, "--keep-fresh")
    folder = own.stack.directory / f"data/certbot/deploy/exports/{own.name}"
    whole = (folder / "combined.pem").read_bytes()
    (folder / "combined.pem").write_bytes(b"")
    docker("exec", own.stack.container("certbot"), *HOOK)
    assert (folder / "combined.pem").read_bytes() == whole
    assert {oct(path.stat().st_mode & 0o777) for path in folder.iterdir()} == {"0o600"}
