from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from stackctl.engine.backup.manifest import FORMAT, Manifest, Member, decode, stays_inside
from stackctl.errors import InputError

FILE = Member("file", "0600", 0, 0, 5, 3, "ab" * 32)
DIR = Member("dir", "0700", 0, 0)
AT = datetime(2026, 8, 1, 12, tzinfo=UTC)


def link(target: str) -> Member:
    return Member("link", "0777", 0, 0, target=target)


def manifest(**files: Member) -> Manifest:
    return Manifest(FORMAT, "1.0", AT, "sites", "/srv/sites", dict(sorted(files.items())))


def changed(**more: Any) -> bytes:
    """A manifest of one file with something else in it."""
    body = json.loads(manifest(a=FILE).encoded())
    body["files"]["a"] |= more
    return json.dumps(body).encode()


def test_what_is_written_is_read_again() -> None:
    whole = manifest(**{"a/b": FILE, "a": DIR, "a/l": link("b"), ".env": FILE})
    assert decode(whole.encoded()) == whole
    assert whole.units == (".env", "a")
    assert whole.size == 6


@pytest.mark.parametrize(
    "path",
    [
        *("/etc/passwd", "../x", "a/../../x", "..", ".", "", "a//b", "a/", "./a", "a\nb", "a\0b", "\ud800", "x" * 256),
        *(".stackctl", ".stackctl/lock", ".stackctl/restore/ready/x"),
    ],
)
def test_a_path_that_no_backup_holds_is_refused(path: str) -> None:
    body = json.loads(manifest(a=FILE).encoded())
    body["files"] = {path: body["files"]["a"]}
    with pytest.raises(InputError):
        decode(json.dumps(body).encode())


@pytest.mark.parametrize(
    "more",
    [
        {"mode": "4755"},
        {"mode": "0999"},
        {"mode": "755"},
        {"uid": -1},
        {"gid": 2**32},
        {"size": -1},
        {"size": 2**41},
        {"sha256": "00"},
        {"sha256": ""},
        {"mtime": -1},
        {"kind": "device"},
        {"kind": "dir"},
        {"kind": "link"},
        {"target": "b"},
        {"uid": "root"},
        {"more": 1},
    ],
    ids=str,
)
def test_a_member_that_is_no_file_of_a_stack_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        decode(changed(**more))


def test_a_later_format_is_reported_apart_from_damage() -> None:
    body = json.loads(manifest(a=FILE).encoded()) | {"format": FORMAT + 1, "shape": "unknown"}
    with pytest.raises(InputError, match=f"format {FORMAT + 1}") as caught:
        decode(json.dumps(body).encode())
    assert "stackctl that made it" in (caught.value.hint or "")


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b"\xff", b'{"format": "1"}', b'{"format": 1}', b"[" * 100_000])
def test_what_is_no_manifest_is_refused(text: bytes) -> None:
    with pytest.raises(InputError):
        decode(text)


def test_an_unsorted_manifest_is_refused() -> None:
    body = json.loads(manifest(a=FILE, b=FILE).encoded())
    body["files"] = dict(reversed(body["files"].items()))
    with pytest.raises(InputError, match="not sorted"):
        decode(json.dumps(body).encode())


@pytest.mark.parametrize("above", [FILE, link("elsewhere")])
def test_nothing_is_below_what_is_no_folder(above: Member) -> None:
    """A file written through a link would end up wherever that leads."""
    with pytest.raises(InputError, match="below a path that is not a directory"):
        decode(manifest(**{"a": above, "a/b": FILE}).encoded())


@pytest.mark.parametrize(
    ("path", "target", "inside"),
    [
        ("live/a/cert.pem", "../../archive/a/cert1.pem", True),
        ("a", "b", True),
        ("a/b", "../c", True),
        ("a", "../b", False),
        ("a/b", "../../c", False),
        ("a", "/etc/passwd", False),
        ("a", "", False),
        ("a/b/c", "d/../../../..", False),
        # After a link that leads elsewhere, '..' would not undo what stands before it.
        ("a/b", "link/../c", False),
        ("a/b", "..", False),
        ("a/b", "c\nd", False),
    ],
)
def test_a_link_leads_to_something_below_the_stack(path: str, target: str, inside: bool) -> None:
    assert stays_inside(path, target) is inside
    whole = manifest(**{path: link(target)}).encoded()
    if inside:
        assert decode(whole).files[path].target == target
    else:
        with pytest.raises(InputError, match="points outside"):
            decode(whole)
