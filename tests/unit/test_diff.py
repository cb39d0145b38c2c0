from __future__ import annotations

import difflib
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackctl.model.project import Project
from stackctl.observed.state import Observed
from stackctl.plan.diff import FileDiff, file_diff, plan_diffs
from stackctl.plan.operation import Plan
from stackctl.plan.operations import Publish, StageFiles, WriteCaBundle, WriteCustom, WriteStackfile
from stackctl.proxies.nginx.proxy import Nginx

NOW = datetime(2026, 8, 1, tzinfo=UTC)
TEXTS = st.lists(st.sampled_from(["a", "b", "c", "  d", "-e", "+f", ""]), max_size=60).map(
    lambda lines: "".join(f"{line}\n" for line in lines)
)


def diff(before: str | bytes | None, after: str | bytes | None) -> FileDiff | None:
    def as_bytes(text: str | bytes | None) -> bytes | None:
        return text.encode() if isinstance(text, str) else text

    return next(file_diff("f", as_bytes(before), as_bytes(after)), None)


def lines(before: str | bytes | None, after: str | bytes | None) -> list[str]:
    found = diff(before, after)
    assert found is not None
    return list(found.lines)


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ("a\n", "b\n", ["@@ -1 +1 @@", "-a", "+b"]),
        ("a\nb\nc\n", "a\nc\n", ["@@ -1,3 +1,2 @@", " a", "-b", " c"]),
        (None, "a\nb\n", ["@@ -0,0 +1,2 @@", "+a", "+b"]),
        ("a\n", None, ["@@ -1 +0,0 @@", "-a"]),
        ("a\n", "", ["@@ -1 +0,0 @@", "-a"]),
        ("a", "a\n", ["@@ -1 +1 @@", "-a", "\\ No newline at end of file", "+a"]),
        ("a\n", "a\r\n", ["@@ -1 +1 @@", "-a", "+a\r"]),
        ("a\n", "\x1b[2Ja\x07\n", ["@@ -1 +1 @@", "-a", "+\x1b[2Ja\x07"]),
        ("a\n", "a\u202e\u2028b\n", ["@@ -1 +1 @@", "-a", "+a\u202e\u2028b"]),
        ("é\tx\n", "ü\tx\n", ["@@ -1 +1 @@", "-é\tx", "+ü\tx"]),
        (b"\xff\n", b"\xfe\n", ["@@ -1 +1 @@", "-\\xff", "+\\xfe"]),
        (
            "1\n2\n3\n4\n5\n6\n7\n",
            "1\n2\n3\n4\nX\n6\n7\n",
            ["@@ -2,6 +2,6 @@", *[" 2", " 3", " 4", "-5", "+X", " 6", " 7"]],
        ),
    ],
)
def test_hunks(before: str | bytes | None, after: str | bytes | None, shown: list[str]) -> None:
    assert lines(before, after) == shown


def test_equal_contents_have_no_difference() -> None:
    assert diff("a\n", "a\n") is None
    assert diff(None, None) is None


@pytest.mark.parametrize(
    ("before", "after", "status"), [(None, "", "new"), ("", None, "removed"), ("", "a", "changed")]
)
def test_the_status(before: str | None, after: str | None, status: str) -> None:
    found = diff(before, after)
    assert found is not None
    assert found.status == status


def test_lines_are_counted() -> None:
    found = diff("a\nb\nc\n", "a\nx\ny\n\nc\n")
    assert found is not None
    assert (found.added, found.removed) == (3, 1)


@given(TEXTS, TEXTS)
def test_it_is_a_difference_as_the_standard_library_makes_it(before: str, after: str) -> None:
    """Not line by line the same one, but the same lines in the same places on both sides."""
    if before == after:
        return
    mine = lines(before, after)
    theirs = list(difflib.unified_diff(before.split("\n")[:-1], after.split("\n")[:-1], lineterm=""))[2:]
    assert sum(line[0] == "+" for line in mine) - sum(line[0] == "-" for line in mine) == sum(
        line[0] == "+" for line in theirs
    ) - sum(line[0] == "-" for line in theirs)
    assert mine[0].startswith("@@")


@pytest.mark.parametrize("number", range(12))
def test_patch_takes_it(number: int, tmp_path: Path) -> None:
    before = [f"line {index}" for index in range(40)]
    after = [line for index, line in enumerate(before) if index % 17 != number]
    after.insert(number * 3, "another")
    (tmp_path / "f").write_text("".join(f"{line}\n" for line in before))
    wanted = "".join(f"{line}\n" for line in after)
    patch = "\n".join(["--- f", "+++ f", *lines((tmp_path / "f").read_bytes(), wanted), ""])
    done = subprocess.run(["patch", "-p0"], cwd=tmp_path, input=patch, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "fuzz" not in done.stdout
    assert "offset" not in done.stdout
    assert (tmp_path / "f").read_text() == wanted


def test_a_large_file_is_compared_where_it_differs() -> None:
    before = "".join(f"  service{number}:\n    image: one\n    restart: always\n" for number in range(5000))
    found = diff(before, before.replace("service2500:\n", "service2500:\n    init: true\n"))
    assert found is not None
    assert found.lines == (
        "@@ -7499,6 +7499,7 @@",
        "     image: one",
        "     restart: always",
        "   service2500:",
        "+    init: true",
        "     image: one",
        "     restart: always",
        "   service2501:",
    )


def observed(**more: Any) -> Observed:
    return replace(Observed(stackfile="a\n", project=Project("p", {}), version=(1, 30), now=NOW), **more)


def paths(found: tuple[tuple[FileDiff, ...], ...]) -> list[list[tuple[str, str]]]:
    return [[(one.path, one.status) for one in diffs] for diffs in found]


def test_each_operation_has_its_differences_after_those_before_it() -> None:
    first = StageFiles(files={"sites/a.b.conf": b"dummy\n", "nginx.conf": b"x\n"}, cause="")
    second = StageFiles(files={"sites/a.b.conf": b"real\n"}, leave_out=("sites/c.d.conf",), cause="")
    plan = Plan((WriteStackfile(file="compose.yaml", content="b\n", cause=""), first, Publish(cause=""), second))
    found = plan_diffs(plan, observed(live={"sites/c.d.conf": b"c\n", "nginx.conf": b"x\n"}), Nginx())
    assert paths(found) == [
        [("compose.yaml", "changed")],
        [("nginx/sites/a.b.conf", "new")],
        [],
        [("nginx/sites/a.b.conf", "changed"), ("nginx/sites/c.d.conf", "removed")],
    ]
    assert found[3][0].lines == ("@@ -1 +1 @@", "-dummy", "+real")


def test_a_copy_is_called_like_the_file_that_the_user_edits() -> None:
    stage = StageFiles(files={"sites/a.b.custom": b"new\n", "snippets/http.custom": b"http\n"}, cause="")
    custom = {"a.b.conf": b"new\n", "http.conf": b"http\n"}
    found = plan_diffs(Plan((stage,)), observed(custom=custom, live={"sites/a.b.custom": b"old\n"}), Nginx())
    assert paths(found) == [[("nginx/custom/a.b.conf", "changed"), ("nginx/custom/http.conf", "new")]]


def test_a_copy_that_goes_while_its_file_stays_is_called_by_its_own_name() -> None:
    stage = StageFiles(files={}, leave_out=("sites/a.b.custom",), cause="")
    live = {"sites/a.b.custom": b"x\n"}
    there = plan_diffs(Plan((stage,)), observed(custom={"a.b.conf": b"x\n"}, live=live), Nginx())
    gone = plan_diffs(Plan((stage,)), observed(live=live), Nginx())
    assert paths(there) == [[("nginx/sites/a.b.custom", "removed")]]
    assert paths(gone) == [[("nginx/custom/a.b.conf", "removed")]]


def test_what_becomes_of_the_users_own_file_is_shown_once() -> None:
    write = WriteCustom(path="nginx/custom/a.b.conf", content=b"old\n", cause="")
    stage = StageFiles(files={"sites/a.b.custom": b"old\n"}, cause="")
    state = observed(custom={"a.b.conf": b"new\n"}, live={"sites/a.b.custom": b"new\n"})
    assert paths(plan_diffs(Plan((write, stage)), state, Nginx())) == [[("nginx/custom/a.b.conf", "changed")], []]
    removed = WriteCustom(path="nginx/custom/a.b.conf", content=None, cause="")
    assert paths(plan_diffs(Plan((removed,)), state, Nginx())) == [[("nginx/custom/a.b.conf", "removed")]]


def test_a_ca_bundle_is_never_shown() -> None:
    assert plan_diffs(Plan((WriteCaBundle(content=b"secret", cause=""),)), observed(), Nginx()) == ((),)


@pytest.mark.parametrize(
    "text",
    [
        "  alerts: {to: ['https://u:secret@a.example/secret', \"ntfys://b/secret\"], ping: https://c/secret}\n  x: http://d\n",
        "  alerts:\n    to:\n    - https://a/secret\n\n    # smtp://u:secret@b?to=c\n    - smtp://u:secret@b?to=c\n  x: http://d\n",
        "- alerts:\n    ping: https://a/secret",
    ],
)
@pytest.mark.parametrize("before", [None, b"", b"a: 1\n"])
def test_receivers_of_alerts_are_not_shown(text: str, before: bytes | None) -> None:
    (diff,) = file_diff("docker-compose.yml", before, text.encode())
    assert "secret" not in "".join(diff.lines)
    assert "://…" in "".join(diff.lines)
    assert ("http://d" in text) == ("http://d" in "".join(diff.lines))
