"""What is known of certbot's files is used for as long as they are the same, and no longer."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stackctl.adapters.disk import lineage_cache
from stackctl.adapters.disk.lineage_cache import LineageCache
from stackctl.certs.lineage import Certificate, Lineage

NAME = "a.example.com"
DAY = datetime(2026, 8, 1, tzinfo=UTC)
FOUND = Lineage(NAME, Certificate("00ff", (NAME,), "CA", DAY, DAY), None, "https://ca.example/dir")


class Tree:
    """Three files of a lineage, one of them behind a link, and a count of how often they were read."""

    def __init__(self, root: Path) -> None:
        self.cache = root / "lineages.json"
        self.chain, self.key, self.conf = (root / name for name in ("chain.pem", "key.pem", "renewal.conf"))
        self.target = root / "chain1.pem"
        for file in (self.target, self.key, self.conf):
            file.write_text("first")
        self.chain.symlink_to(self.target)
        self.reads = 0

    def read(self, _name: str) -> Lineage:
        self.reads += 1
        return FOUND

    def look(self) -> Lineage:
        """As one command does."""
        cache = LineageCache(self.cache)
        found = cache.get(NAME, [str(path) for path in (self.chain, self.key, self.conf)], self.read)
        cache.keep([NAME])
        return found


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    # The files are new, and their times are as fine as this machine's clock.
    monkeypatch.setattr(lineage_cache, "_SETTLED", -60.0)
    return Tree(tmp_path)


def test_what_did_not_change_is_read_once(tree: Tree) -> None:
    assert [tree.look(), tree.look(), tree.look()] == [FOUND] * 3
    assert tree.reads == 1


def in_place(tree: Tree) -> None:
    before = tree.target.stat()
    tree.target.write_text("other")
    os.utime(tree.target, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced(tree: Tree) -> None:
    new = tree.key.with_name("new")
    new.write_text("first")
    new.replace(tree.key)


def led_elsewhere(tree: Tree) -> None:
    other = tree.target.with_name("chain2.pem")
    os.link(tree.target, other)
    tree.chain.unlink()
    tree.chain.symlink_to(other)


def no_link_any_more(tree: Tree) -> None:
    tree.chain.unlink()
    tree.target.rename(tree.chain)


@pytest.mark.parametrize("change", [in_place, replaced, led_elsewhere, no_link_any_more])
def test_whatever_changes_is_read_again(tree: Tree, change: Callable[[Tree], None]) -> None:
    tree.look()
    change(tree)
    tree.look()
    assert tree.reads == 2
    tree.look()
    assert tree.reads == 2


def test_what_is_not_whole_is_always_read(tree: Tree) -> None:
    tree.conf.unlink()
    tree.look()
    tree.look()
    assert tree.reads == 2


def test_a_file_that_has_just_changed_is_not_trusted_yet(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lineage_cache, "_SETTLED", 60.0)
    tree.look()
    tree.look()
    assert tree.reads == 2
    assert not tree.cache.exists()


def test_another_version_judges_for_itself(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.look()
    monkeypatch.setattr(lineage_cache, "__version__", "next")
    tree.look()
    tree.look()
    assert tree.reads == 2


@pytest.mark.parametrize("text", ["", "{", "[]", '{"known": {}}', '{"version": "0.1.0", "known": {"a": {}}}'])
def test_a_damaged_cache_is_no_cache(tree: Tree, text: str) -> None:
    tree.cache.write_text(text)
    assert tree.look() == FOUND
    assert tree.look() == FOUND
    assert tree.reads == 1


def test_what_is_gone_is_forgotten(tree: Tree) -> None:
    tree.look()
    assert NAME in tree.cache.read_text()
    LineageCache(tree.cache).keep([])
    assert NAME not in tree.cache.read_text()


def test_where_it_cannot_be_written_everything_is_read(tree: Tree) -> None:
    tree.cache = tree.conf / "lineages.json"  # below a file
    tree.look()
    tree.look()
    assert tree.reads == 2
