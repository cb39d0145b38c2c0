"""certbot's tree: the same answers from the disk and through the container."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from stackctl.adapters.disk.certbot_tree import CertbotTree
from stackctl.certs.dummy import make_dummy
from stackctl.errors import HostError
from tests.unit.build import NOW

NAME = "a.example.com"
ACCOUNT = "ca.test/dir/1f"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A tree with one lineage, certbot's README next to it, and an account that a second CA address shares."""
    chain, key = make_dummy([NAME], NOW)
    archive, live = tmp_path / "archive" / NAME, tmp_path / "live" / NAME
    for folder in (archive, live, tmp_path / "renewal", tmp_path / "accounts" / ACCOUNT):
        folder.mkdir(parents=True)
    for kind, content in (("cert", chain), ("chain", chain), ("fullchain", chain), ("privkey", key)):
        (archive / f"{kind}1.pem").write_bytes(content)
        (live / f"{kind}.pem").symlink_to(f"../../archive/{NAME}/{kind}1.pem")
    (archive / "privkey1.pem").chmod(0o600)
    (tmp_path / "live" / "README").write_text("keys\n")
    (tmp_path / "renewal" / f"{NAME}.conf").write_text("[renewalparams]\nserver = https://ca.test/dir\n")
    (tmp_path / "accounts" / ACCOUNT / "regr.json").write_text("{}")
    (tmp_path / "accounts" / "old.ca.test").symlink_to("ca.test")
    return tmp_path


class Reader:
    """Reads the tree as the container does."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.asked: list[tuple[str, str]] = []

    def __call__(self, role: str, path: str) -> dict[str, bytes]:
        self.asked.append((role, path))
        return dict(self._files())

    def _files(self) -> Iterator[tuple[str, bytes]]:
        for folder, _, names in os.walk(self.root, followlinks=True):
            for name in names:
                at = Path(folder, name)
                yield str(at.relative_to(self.root)), at.read_bytes()


def closed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: object) -> Iterator[os.DirEntry[str]]:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)


def test_both_ways_say_the_same(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk, reader = CertbotTree(root, None), Reader(root)
    container = CertbotTree(root, reader)
    lineages, read = disk.lineages(), dict(reader._files())
    with monkeypatch.context() as patched:
        closed(patched)
        reader._files = lambda: iter(read.items())  # type: ignore[method-assign]
        assert container.lineages() == lineages
    assert set(lineages) == {NAME}
    assert lineages[NAME].usable
    assert container.lineage(NAME) == disk.lineage(NAME) == lineages[NAME]
    for path in (f"live/{NAME}/chain.pem", "live/none/chain.pem"):
        assert container.read(path) == disk.read(path)
    for folder in ("live", f"archive/{NAME}", "none"):
        assert container.names(folder) == disk.names(folder)
    assert container.accounts() == disk.accounts() == {ACCOUNT, "old.ca.test/dir/1f"}
    assert reader.asked == [("certbot", "/etc/letsencrypt")], "read once: all answers are of one moment"


def test_modes_owners_and_links_are_only_seen_on_the_disk(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = CertbotTree(root, Reader(root))
    assert tree.key_file(NAME) == (0o600, os.getuid(), os.getuid())
    assert tree.links(NAME) == {
        kind: f"../../archive/{NAME}/{kind}1.pem" for kind in ("cert", "privkey", "chain", "fullchain")
    }
    with monkeypatch.context() as patched:
        closed(patched)
        patched.setattr(os, "walk", lambda *_, **__: iter(()))
        assert tree.lineages() == {}
    assert tree.key_file(NAME) is None
    assert tree.links(NAME) is None


def test_without_a_container_a_closed_disk_is_an_error(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed(monkeypatch)
    with pytest.raises(HostError, match="live: permission denied"):
        CertbotTree(root, None).lineages()


def test_a_tree_that_is_not_there_has_no_lineages(tmp_path: Path) -> None:
    tree = CertbotTree(tmp_path / "none", None)
    assert (tree.lineages(), tree.accounts(), tree.names("live")) == ({}, frozenset(), frozenset())
    assert tree.key_file(NAME) is None
