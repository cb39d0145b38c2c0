"""Generations of the proxy's files: staged, discarded, switched."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackctl.adapters.disk.generations import Generations
from stackctl.model.layout import Place
from stackctl.proxies.proxy import ProxyLayout

LAYOUT = ProxyLayout(Place(".", "/etc/proxy"), {"proxy.conf": "live/proxy.conf"}, (), ("*.conf",), "marker", ())


@pytest.fixture
def generations(tmp_path: Path) -> Generations:
    return Generations(tmp_path, LAYOUT)


def marker(name: str) -> bytes:
    return name.encode()


def test_staging_says_whether_it_made_the_generation(generations: Generations, tmp_path: Path) -> None:
    first = generations.stage({"nginx.conf": b"1"}, marker)
    again = generations.stage({"nginx.conf": b"1"}, marker)
    assert (first.made, again.made) == (True, False)
    assert first.name == again.name
    assert (tmp_path / "generations" / first.name / "marker").read_text() == first.name


def test_what_was_made_by_staging_is_discarded_as_a_whole(generations: Generations, tmp_path: Path) -> None:
    generations.discard(generations.stage({"nginx.conf": b"1"}, marker))
    assert not list((tmp_path / "generations").iterdir())


def test_the_live_generation_staged_once_more_is_not_discarded(generations: Generations) -> None:
    files = {"nginx.conf": b"1"}
    generations.go_live(generations.stage(files, marker).name)
    generations.discard(generations.stage(files, marker))
    assert generations.live() == files


def test_an_earlier_generation_staged_once_more_is_not_discarded(generations: Generations, tmp_path: Path) -> None:
    earlier = generations.stage({"nginx.conf": b"1"}, marker)
    generations.go_live(earlier.name)
    generations.go_live(generations.stage({"nginx.conf": b"2"}, marker).name)
    generations.discard(generations.stage({"nginx.conf": b"1"}, marker))
    assert (tmp_path / "generations" / earlier.name / "nginx.conf").read_bytes() == b"1"
