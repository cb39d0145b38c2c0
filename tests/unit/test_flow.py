"""Edits between braces: what was requested changes, and no other character."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackctl.errors import StackfileError
from stackctl.stackfile import flow
from stackctl.stackfile.document import Document, Path

CASES: dict[str, tuple[str, Path, str, str]] = {
    "a key is added": ("a: {b: 1}  # why\n", ("a", "c"), "c: x\n", 'a: {b: 1, c: "x"}  # why\n'),
    "to nothing": ("a: { }\n", ("a", "c"), "c: 2\n", "a: {c: 2 }\n"),
    "over lines": ("a: {\n  b: 1\n}\n", ("a", "c"), "c: 2\n", "a: {\n  b: 1, c: 2\n}\n"),
    "a value is replaced": ("a: {b: 1, c: [2, 3]}\n", ("a", "b"), "b:\n  - x\n", 'a: {b: ["x"], c: [2, 3]}\n'),
    "a mapping is made": ("a: {b: 1}\n", ("a", "c", "d"), "d: 4\n", "a: {b: 1, c: {d: 4}}\n"),
    "inside a block": ("a:\n  b: {c: 1}\n", ("a", "b", "d"), "d: yes\n", 'a:\n  b: {c: 1, d: "yes"}\n'),
    "in a list": ("a: [{b: 1}, {b: 2}]\n", ("a", 1, "b"), "b: 3\n", "a: [{b: 1}, {b: 3}]\n"),
    "behind a mark": ("\ufeffa: {b: 1}\n", ("a", "c"), "c: 2\n", "\ufeffa: {b: 1, c: 2}\n"),
    "with a line ending of Windows": ("a: {b: 1}\r\nc: 2\r\n", ("a", "b"), "b: 2\n", "a: {b: 2}\r\nc: 2\r\n"),
}
REMOVED = {
    "a: {b: 1, c: 2, d: 3}\n": {"b": "a: {c: 2, d: 3}\n", "c": "a: {b: 1, d: 3}\n", "d": "a: {b: 1, c: 2}\n"},
    "x: 0\na: {b: {c: 1}}\n": {"b": "x: 0\n"},
    "x: {a: {b: 1}, c: 2}\n": {},
}


@pytest.mark.parametrize("name", CASES)
def test_a_key_is_set_in_its_place(name: str) -> None:
    before, path, block, after = CASES[name]
    assert flow.put_entry(Document.parse(before, "f.yml"), path, block).text == after


def test_a_key_in_a_block_is_set_as_a_block() -> None:
    doc = flow.put_entry(Document.parse("a:\n  b: 1\n", "f.yml"), ("a", "c", "d"), "d: x\n")
    assert doc.text == "a:\n  b: 1\n  c:\n    d: x\n"


@pytest.mark.parametrize(("text", "key"), [(text, key) for text, found in REMOVED.items() for key in found])
def test_a_key_is_removed_with_what_separates_it(text: str, key: str) -> None:
    assert flow.removed(Document.parse(text, "f.yml"), ("a", key)).text == REMOVED[text][key]


def test_a_mapping_that_would_be_empty_goes_with_its_last_key() -> None:
    assert flow.removed(Document.parse("x: {a: {b: 1}, c: 2}\n", "f.yml"), ("x", "a", "b")).text == "x: {c: 2}\n"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("x: &x {b: 1}\na: *x\n", ("a", "b")),
        ("x: &x {b: {c: 1}}\na: *x\n", ("a", "b", "c")),
        ("x: &x\n  b:\n    c: 1\n    d: 2\na: *x\n", ("a", "b", "c")),
    ],
)
def test_what_is_shared_with_another_place_is_refused(text: str, path: Path) -> None:
    with pytest.raises(StackfileError):
        flow.removed(Document.parse(text, "f.yml"), path)
    for last in (path[-1], "new"):
        with pytest.raises(StackfileError):
            flow.put_entry(Document.parse(text, "f.yml"), (*path[:-1], last), f"{last}: 9\n")


def test_what_is_merged_is_changed_where_it_is_not_shared() -> None:
    doc = Document.parse("x: &x {b: 1}\na: {<<: *x, c: 2}\n", "f.yml")
    assert flow.put_entry(doc, ("a", "c"), "c: 3\n").text == "x: &x {b: 1}\na: {<<: *x, c: 3}\n"
    with pytest.raises(StackfileError, match="merged from another block"):
        flow.removed(doc, ("a", "b"))
    with pytest.raises(StackfileError):
        flow.put_entry(doc, ("a", "b"), "b: 3\n")


PLAIN = st.text("abc :,#{}[]'\"&*!|>%@`-?é😀", max_size=6) | st.integers() | st.booleans()
VALUES = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner))


@given(VALUES, st.sampled_from(["{}", "{k: 1}", "{j: 'a, }', k: 1}", "{k: 1 ,  l: [ {m: 2} ] }"]))
def test_any_value_comes_and_goes_without_a_trace(value: object, mapping: str) -> None:
    before = Document.parse(f"a: {mapping}  # }} k\nb: 1\n", "f.yml")
    there = flow.put_entry(before, ("a", "new"), f"new: {flow.text_of(value)}\n")
    assert there.data(("a", "new")) == value
    if before.data(("a",)):
        assert flow.removed(there, ("a", "new")).text == before.text
