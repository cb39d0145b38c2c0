"""The copies that a proxy reads: verified, whole, switched by one rename, and made without stackctl too."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from stackctl.adapters.fakes.certbot import FakeCa
from stackctl.certs.hook import deploy_hook
from stackctl.certs.issuer import copies
from stackctl.certs.issuer.copies import LINEAGES, STORED, copied, copy, refusal
from stackctl.certs.issuer.pair import PairFiles
from stackctl.model.layout import HOOK_PROGRAM

NAME = "one.example.com"
NOW = datetime.now(UTC)
CA = FakeCa()


def pair(*names: str, now: datetime = NOW) -> PairFiles:
    return PairFiles(*CA.issue(names or (NAME,), now))


def loadable(home: Path, name: str = NAME) -> bool:
    """Whether a server can load the copy."""
    folder = home / LINEAGES / name
    leaf = x509.load_pem_x509_certificate((folder / "fullchain.pem").read_bytes())
    key = serialization.load_pem_private_key((folder / "privkey.pem").read_bytes(), None)
    return key.public_key() == leaf.public_key()


def test_a_copy_has_all_files_and_its_key_is_private(tmp_path: Path) -> None:
    one = pair()
    assert copy(tmp_path, LINEAGES, NAME, one)
    folder = tmp_path / LINEAGES / NAME
    assert folder.is_symlink()
    assert (folder / "fullchain.pem").read_bytes() == one.fullchain
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in folder.iterdir()} == {
        "cert.pem": "0o644",
        "chain.pem": "0o644",
        "fullchain.pem": "0o644",
        "privkey.pem": "0o600",
    }
    assert copied(tmp_path, LINEAGES, NAME) == (one.version, one.fullchain)
    assert not copy(tmp_path, LINEAGES, NAME, one), "nothing to do"


def later(home: Path) -> None:
    """Let a minute pass for all versions."""
    for version in (home / "versions").iterdir():
        os.utime(version, (0, 0))


def versions(home: Path) -> int:
    return len(list((home / "versions").iterdir()))


def test_a_new_pair_replaces_the_old_one_whose_key_is_removed_after_a_minute(tmp_path: Path) -> None:
    first, second, third = pair(), pair(), pair()
    copy(tmp_path, LINEAGES, NAME, first)
    copy(tmp_path, STORED, NAME, pair())
    folder = (tmp_path / LINEAGES / NAME).resolve()
    later(tmp_path)
    assert copy(tmp_path, LINEAGES, NAME, second)
    assert copied(tmp_path, LINEAGES, NAME) == (second.version, second.fullchain)
    copies.remove_unused(tmp_path)
    assert (folder / "privkey.pem").read_bytes() == first.privkey, "a server may be reading it"
    later(tmp_path)
    assert copy(tmp_path, LINEAGES, NAME, third)
    assert not folder.exists()
    later(tmp_path)
    copies.remove_unused(tmp_path)
    assert versions(tmp_path) == 2


@pytest.mark.parametrize("link", [True, False])
def test_a_removed_copy_leaves_no_key_behind(link: bool, tmp_path: Path) -> None:
    copy(tmp_path, LINEAGES, NAME, pair())
    copy(tmp_path, STORED, NAME, pair())
    if not link:
        folder = (tmp_path / LINEAGES / NAME).resolve()
        (tmp_path / LINEAGES / NAME).unlink()
        folder.rename(tmp_path / LINEAGES / NAME)
    copies.remove(tmp_path, LINEAGES, NAME)
    assert len(list(tmp_path.rglob("privkey.pem"))) == versions(tmp_path) == 1
    assert copied(tmp_path, STORED, NAME)


def test_a_removed_copy_takes_those_that_it_just_replaced_with_it(tmp_path: Path) -> None:
    other = pair("other.example.com")
    copy(tmp_path, STORED, "other", other)
    copy(tmp_path, STORED, "other", pair("other.example.com"))
    copy(tmp_path, STORED, NAME, pair())
    copy(tmp_path, STORED, NAME, pair())
    assert versions(tmp_path) == 4
    copies.remove(tmp_path, STORED, NAME)
    assert versions(tmp_path) == 2, "another's that was just replaced stays"
    assert other.privkey in {path.read_bytes() for path in tmp_path.rglob("privkey.pem")}


def test_a_reader_never_sees_half_of_a_switch(tmp_path: Path) -> None:
    copy(tmp_path, LINEAGES, NAME, pair())
    over, failures = threading.Event(), list[OSError]()

    def read() -> None:
        while not over.is_set():
            try:
                os.close(os.open(tmp_path / LINEAGES / NAME / "privkey.pem", os.O_RDONLY))
            except OSError as error:
                failures.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for _ in range(20):
            assert copy(tmp_path, LINEAGES, NAME, pair())
    finally:
        over.set()
        reader.join()
    assert failures == []


@pytest.mark.parametrize(
    ("owner", "point"),
    [(Path, "mkdir"), (os, "open"), (os, "fsync"), (Path, "rename"), (Path, "symlink_to"), (Path, "replace")],
)
def test_a_full_disk_at_any_step_keeps_the_last_copy(
    owner: object, point: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = pair(), pair()
    copy(tmp_path, LINEAGES, NAME, first)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(owner, point, full)
        with pytest.raises(OSError, match="No space"):
            copy(tmp_path, LINEAGES, NAME, second)
    assert copied(tmp_path, LINEAGES, NAME) == (first.version, first.fullchain)
    assert copy(tmp_path, LINEAGES, NAME, second)
    later(tmp_path)
    copies.remove_unused(tmp_path)
    assert versions(tmp_path) == 1
    assert [path.name for path in (tmp_path / LINEAGES).iterdir()] == [NAME]


def test_a_folder_in_place_of_the_link_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / LINEAGES / NAME
    folder.mkdir(parents=True)
    one = pair()
    for name, content in (("fullchain.pem", one.fullchain), ("privkey.pem", one.privkey)):
        (folder / name).write_bytes(content or b"")
    assert copied(tmp_path, LINEAGES, NAME) is None
    assert copy(tmp_path, LINEAGES, NAME, one)
    assert folder.is_symlink()


def damaged(change: Callable[[bytes], bytes], part: str) -> PairFiles:
    one = pair()
    return one._replace(**{part: change(getattr(one, part))})


BROKEN = {
    "no chain": pair()._replace(fullchain=None),
    "no key": pair()._replace(privkey=None),
    "empty chain": pair()._replace(fullchain=b""),
    "empty key": pair()._replace(privkey=b""),
    "half a chain": damaged(lambda pem: pem[: len(pem) // 2], "fullchain"),
    "half a key": damaged(lambda pem: pem[: len(pem) // 2], "privkey"),
    "another key": pair()._replace(privkey=pair().privkey),
    "zeros": damaged(lambda pem: bytes(len(pem)), "fullchain"),
    "half of the second certificate": damaged(lambda pem: pem + pem[:100], "fullchain"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_what_cannot_be_loaded_is_refused_with_and_without_a_copy(broken: str) -> None:
    assert refusal(BROKEN[broken], None, NOW)
    assert refusal(BROKEN[broken], pair().fullchain, NOW)


def test_what_is_worse_than_the_copy_is_refused_only_while_the_copy_is_valid() -> None:
    expired, good = pair(now=NOW - timedelta(days=200)), pair()
    assert "expired" in (refusal(expired, good.fullchain, NOW) or "")
    assert refusal(expired, expired.fullchain, NOW) is None
    assert refusal(expired, None, NOW) is None
    chain = (good.fullchain or b"") + (pair().fullchain or b"")
    disordered = good._replace(fullchain=chain)
    assert "not signed by" in (refusal(disordered, good.fullchain, NOW) or "")
    assert refusal(disordered, None, NOW) is None
    assert refusal(good._replace(chain=b""), good.fullchain, NOW) is None, "of chain.pem nothing is served"


# The program in the container


class Hook:
    """The deploy hook as the stack has it, and a tree as certbot writes it."""

    def __init__(self, root: Path) -> None:
        self.conf, self.stamps = root / "conf", root / "deploy"
        self.stamps.mkdir(parents=True)
        self.program = root / "hook.py"
        self.program.write_bytes(deploy_hook()[HOOK_PROGRAM.path])

    def write(self, name: str, one: PairFiles) -> Path:
        folder = self.conf / "live" / name
        folder.mkdir(parents=True, exist_ok=True)
        for kind, content in zip(("fullchain", "privkey", "chain"), one, strict=True):
            (folder / f"{kind}.pem").write_bytes(content or b"")
        return folder

    def run(self, renewed: str | None = None) -> tuple[int, str]:
        environment = {**os.environ, **({"RENEWED_LINEAGE": f"/etc/letsencrypt/live/{renewed}"} if renewed else {})}
        environment.pop("PYTHONPATH", None)
        command = [sys.executable, "-I", str(self.program), str(self.conf), str(self.stamps)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stderr

    def stamp(self, name: str) -> str:
        path = self.stamps / name
        return path.read_text() if path.exists() else ""

    @property
    def home(self) -> Path:
        return self.stamps / "pairs"


@pytest.fixture
def hook(tmp_path: Path) -> Hook:
    return Hook(tmp_path)


def test_the_hook_copies_the_renewed_lineage_and_writes_the_stamp(hook: Hook) -> None:
    hook.write(NAME, pair())
    hook.write("two.example.com", pair())
    assert hook.run(NAME) == (0, "")
    assert loadable(hook.home)
    assert not (hook.home / LINEAGES / "two.example.com").exists()
    stamp = hook.stamp("renewed")
    assert stamp
    assert hook.run(NAME) == (0, "")
    assert hook.stamp("renewed") == stamp, "nothing changed"
    assert hook.run() == (0, "")
    assert loadable(hook.home, "two.example.com")
    assert hook.stamp("renewed") != stamp


def test_the_hook_keeps_the_last_copy_and_leaves_a_trace_of_what_it_refused(hook: Hook) -> None:
    first = pair()
    hook.write(NAME, first)
    hook.write("two.example.com", pair())
    hook.run()
    stamp = hook.stamp("renewed")
    hook.write(NAME, BROKEN["another key"])
    code, said = hook.run(NAME)
    assert code == 1
    assert "does not match" in said
    assert hook.stamp("refused") == f"{NAME}: privkey.pem does not match the certificate\n"
    assert hook.stamp("renewed") == stamp
    assert copied(hook.home, LINEAGES, NAME) == (first.version, first.fullchain)
    assert hook.run("two.example.com")[0] == 0
    assert NAME in hook.stamp("refused"), "another lineage changes nothing about it"
    hook.write(NAME, pair())
    assert hook.run() == (0, "")
    assert hook.stamp("refused") == ""


def test_the_hook_removes_no_copy_whatever_is_lost_of_the_tree(hook: Hook) -> None:
    hook.write(NAME, pair())
    hook.run()
    subprocess.run(["rm", "-r", str(hook.conf)], check=True)
    assert hook.run() == (0, "")
    assert loadable(hook.home)


def test_the_hook_needs_only_what_certbot_needs() -> None:
    """It is read by Python 3.9, and imports nothing else than the standard library and cryptography."""
    text = deploy_hook()[HOOK_PROGRAM.path].decode()
    compile(text, "hook", "exec")
    assert "stackctl." not in "\n".join(line for line in text.splitlines() if "import" in line and ":mod:" not in line)
