"""The account at the CA: bound to a customer of it (EAB), and forgotten by it."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from tests.e2e.helpers import APP_IMAGE, CERTBOTS_LOCK, Stack, certbot, docker
from tests.faults.authority import Authority, authority
from tests.faults.bed import Bed, Run, bare

pytestmark = pytest.mark.e2e

RENEW = ("renew", "--no-random-sleep-on-renew")
KID, KEY = "kid-1", "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"


@pytest.fixture(scope="module")
def ca() -> Iterator[Authority]:
    with authority(bindings={KID: KEY}) as made:
        yield made


@pytest.fixture(scope="module")
def bed(ca: Authority) -> Iterator[Bed]:
    with bare(Run(ca, [])) as made:
        made.stack.init()
        yield made


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("eab") / "key"
    path.write_text(f"{KEY}\n")
    return path


class Processes:
    """Every command line on this machine, for as long as the block lasts."""

    def __enter__(self) -> Self:
        self.seen: set[str] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.02):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen.add(path.read_text(errors="replace").replace("\0", " "))
                except OSError:
                    continue


def holding(root: Path, secret: str) -> list[str]:
    """The files below ``root`` that ``secret`` stands in."""
    there = [path for path in root.rglob("*") if path != root / CERTBOTS_LOCK]
    files = [path for path in there if path.is_file() and not path.is_symlink()]
    return sorted(str(path.relative_to(root)) for path in files if secret.encode() in path.read_bytes())


def account(stack: Stack) -> tuple[str, str, str]:
    """The only account: its id, its key and its address."""
    (regr,) = (stack.directory / "data/certbot/conf/accounts").rglob("regr.json")
    return regr.parent.name, regr.with_name("private_key.json").read_text(), json.loads(regr.read_text())["uri"]


def test_a_ca_that_binds_accounts_says_so_and_then_issues(bed: Bed, key_file: Path) -> None:
    stack, name = bed.stack, bed.name("bound")
    done = stack.fails(7, "add-app", name, "--image", APP_IMAGE)
    assert "the CA requires an external account binding (externalAccountRequired)" in done.stderr
    assert "--eab-kid KID --eab-hmac-key-file FILE" in done.stderr
    options = ("--eab-kid", KID, "--eab-hmac-key-file", key_file)
    with Processes() as processes:
        said = stack.ok("init", *options, "--verbose")
        planned = stack.ok("init", *options, "--dry-run", "--output", "json")
        issued = stack.ok("add-app", name, "--image", APP_IMAGE, "--verbose")
    assert stack.trusted(name)
    assert "store the key of the external account binding in data/ca" in said.stdout
    assert json.loads(planned.stdout)["operations"] == []
    assert any("python3 -u -" in line for line in processes.seen)
    assert not [line for line in processes.seen if KEY in line]
    assert not [done for done in (said, planned, issued) if KEY in done.stdout + done.stderr]
    assert holding(stack.directory, KEY) == ["data/ca/eab-hmac-key"]
    assert (stack.directory / "data/ca/eab-hmac-key").stat().st_mode & 0o777 == 0o600
    assert f'eab-kid: "{KID}"' in stack.file.read_text()
    assert KEY not in docker("logs", stack.container("certbot"))


def test_a_ca_that_forgot_the_account_gets_its_key_again(bed: Bed) -> None:
    stack = bed.stack
    earlier = stack.domain("bound")
    before = account(stack)
    bed.run.ca.restart()
    refused = certbot(stack.container("certbot"), *RENEW, "--cert-name", earlier, "--force-renewal", fine=False)
    assert "accountDoesNotExist" in refused
    name = bed.name("later")
    done = stack.ok("add-app", name, "--image", APP_IMAGE)
    assert len(re.findall(r"did not know the account any more: its key is registered again", done.stdout)) == 1
    after = account(stack)
    assert after[:2] == before[:2]
    assert after[2] != before[2]
    assert holding(stack.directory, KEY) == ["data/ca/eab-hmac-key"]
    # Neither lineage was touched by hand, and certbot's own loop can renew both.
    for lineage in (earlier, name):
        assert f"account = {after[0]}" in (stack.directory / f"data/certbot/conf/renewal/{lineage}.conf").read_text()
        certbot(stack.container("certbot"), *RENEW, "--cert-name", lineage, "--force-renewal")


def test_a_ca_that_wants_a_certificate_renewed_early_is_heard(bed: Bed) -> None:
    """ARI (RFC 9773): nothing of ours keeps certbot's own renewal from asking."""
    stack = bed.stack
    lineage = stack.domain("later")
    before = (stack.live / lineage / "cert.pem").resolve().name
    assert bed.run.ca.wants_renewed((stack.live / lineage / "cert.pem").read_text())
    certbot(stack.container("certbot"), *RENEW, "--cert-name", lineage)
    assert (stack.live / lineage / "cert.pem").resolve().name != before
