"""Documents: what a YAML text says, and on which line it says it."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from hypothesis import given
from ruamel.yaml import YAML

from stackctl.errors import ExitCode, StackfileError
from stackctl.stackfile import composing
from stackctl.stackfile.document import Document
from tests.unit.build import GOLDEN
from tests.unit.composed import TEXTS

FILES = sorted(path for path in (GOLDEN / "compose").glob("*.yml") if not path.name.endswith(".added.yml"))


def parse(text: str) -> Document:
    return Document.parse(text, "f.yml")


def data(text: str) -> Any:
    return parse(text).data()


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("a: b: c\n", "f.yml:1"),
        ("a:\n\tb: 1\n", "f.yml:2"),
        ("a: 1\n b: 2\n", "f.yml:2"),
        ("a: 1\nb: *nowhere\n", "f.yml:2"),
        ("a: 1\n@b: 2\n", "f.yml:2"),
        ("a: 1\r\n\r\nb: *nowhere\r\n", "f.yml:3"),
        ("\ufeffa: 1\nb: *nowhere\n", "f.yml:2"),
        ("a: 1\n---\nb: 2\n", "f.yml:2"),
        ("%YAML 9.9\n---\na: 1\n", "f.yml:1"),
        ("- a\n- b\n", "f.yml:1"),
        ("just text\n", "f.yml:1"),
    ],
)
def test_what_is_no_yaml_mapping_is_refused_with_its_line(text: str, where: str) -> None:
    with pytest.raises(StackfileError) as caught:
        parse(text)
    assert caught.value.where == where
    assert caught.value.code is ExitCode.STACKFILE
    assert "\n" not in str(caught.value)


def test_a_control_character_is_refused_with_its_line() -> None:
    with pytest.raises(StackfileError) as caught:
        parse("a: 1\nb: \x07\n")
    assert caught.value.where == "f.yml:2"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["a: [\n", "a: {\n", 'a: "x\n', "a: [b,\n"])
def test_what_is_never_closed_is_said_to_be_on_a_line_that_exists(text: str) -> None:
    with pytest.raises(StackfileError) as caught:
        parse(text)
    assert caught.value.where == "f.yml:1"


def test_malformed_yaml_comes_with_a_next_step() -> None:
    with pytest.raises(StackfileError) as caught:
        parse("a: [\n")
    assert caught.value.hint


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "\ufeff", "# no newline"])
def test_a_file_without_content_is_an_empty_mapping(text: str) -> None:
    assert data(text) == {}


@pytest.mark.parametrize("text", ["---\n", "~\n", "--- # nothing\n...\n"])
def test_a_file_that_says_null_is_an_empty_mapping_too(text: str) -> None:
    assert data(text) == {}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("-3", -3),
        ("0644", 644),
        ("1_000", 1000),
        ("1.5", 1.5),
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("22:22", "22:22"),
        ("~", None),
        ("null", None),
        ("", None),
        ("'12'", "12"),
        ('"true"', "true"),
        ("8000:80", "8000:80"),
        ("2024-01-01", "2024-01-01"),
        ("!reset 1", "1"),
        ("!!str 12", "12"),
        ("[a, {b: 1}]", ["a", {"b": 1}]),
        ("|\n  x\n  y\n", "x\ny\n"),
        ("🐳", "🐳"),
    ],
)
def test_a_scalar_is_what_yaml_1_2_says(text: str, value: object) -> None:
    read = data(f"key: {text}\n")["key"]
    assert read == value
    assert type(read) is type(value)


def test_a_number_too_long_for_python_stays_text() -> None:
    digits = "9" * 5000
    assert data(f"a: {digits}\n") == {"a": digits}


def test_keys_are_text_whatever_they_look_like() -> None:
    assert data("1: a\ntrue: b\n~: c\n") == {"1": "a", "true": "b", "~": "c"}


def test_merges_give_way_to_what_is_written_and_to_earlier_merges() -> None:
    text = "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz:\n  c: 3\n  <<: [*x, *y]\n"
    doc = parse(text)
    assert doc.data(("z",)) == {"a": 1, "b": 1, "c": 3}
    assert doc.data(("z", "b")) == 1
    assert doc.data(("z", "c")) == 3
    assert [key.value for key in doc.own_keys(("z",))] == ["c"]


def test_a_merged_key_is_placed_where_it_is_written() -> None:
    doc = parse("x: &x\n  image: a\ns:\n  <<: *x\n  port: 1\n")
    assert doc.where_of(("s", "image")) == "f.yml:2"
    assert doc.where_of(("s", "port")) == "f.yml:5"


@pytest.mark.parametrize(
    ("path", "where"),
    [
        (("services",), "f.yml:3"),
        (("services", "web", "ports"), "f.yml:6"),
        (("services", "web", "ports", 1), "f.yml:8"),
        (("services", "web", "nothing", "here"), "f.yml:5"),
        (("services", "web", "ports", 7), "f.yml:6"),
        (("services", "web", "image", "deeper"), "f.yml:9"),
        (("nothing",), "f.yml:2"),
        ((), "f.yml:2"),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_a_place_is_the_line_an_editor_shows(path: tuple[str | int, ...], where: str, newline: str, bom: str) -> None:
    text = '# 🐳 one\nname: "日本\u2028  語"\nservices:\n\n  web:\n    ports:\n    - 80\n    - 90\n    image: x\n'
    assert parse(bom + text.replace("\n", newline)).where_of(path) == where


def test_a_step_of_the_wrong_kind_leads_nowhere() -> None:
    doc = parse("a: [1]\nb: {c: 1}\n")
    assert doc.entry(("a", "0")) is None
    assert doc.entry(("b", 0)) is None
    assert doc.data(("b", "c", "d")) is None
    assert doc.own_keys(("a",)) == []
    assert doc.own_keys(("zz",)) == []


@pytest.mark.parametrize(
    ("text", "newline"), [("a: 1\nb: 2\r\n", "\n"), ("a: 1\r\nb: 2\n", "\r\n"), ("", "\n"), ("\n", "\n")]
)
def test_the_line_ending_is_that_of_the_first_line(text: str, newline: str) -> None:
    assert parse(text).newline == newline


def test_the_columns_of_a_file_with_a_bom_are_those_without() -> None:
    doc = parse("\ufeffa: 1\nb: 2\n")
    assert [doc.column_of(key) for key in doc.own_keys(())] == [0, 0]


@given(TEXTS)
def test_lines_joined_are_the_text(text: str) -> None:
    assert "".join(parse(text).lines) == text


@given(TEXTS)
def test_every_key_stands_on_the_line_it_is_said_to(text: str) -> None:
    doc = parse(text)
    for service in doc.own_keys(("services",)):
        line = int(doc.where_of(("services", service.value)).rpartition(":")[2])
        assert text.split("\n")[line - 1].strip().strip("'").startswith(service.value)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_file_of_the_user_reads_as_a_yaml_library_reads_it(path: Any) -> None:
    text = path.read_bytes().decode()
    library = YAML(typ="safe", pure=True).load(text.removeprefix("\ufeff"))
    doc = Document.parse(text, path.name)
    assert set(doc.data()) == set(library)
    assert doc.data(("services",)).keys() == library["services"].keys()
    for name, body in library["services"].items():
        assert doc.data(("services", name, "image")) == body.get("image")
        assert doc.data(("services", name)).keys() == body.keys()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_parser_in_python_gives_the_same_data_and_places(path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    text = path.read_bytes().decode()
    fast = Document.parse(text, path.name)
    monkeypatch.setattr(composing, "YAML", lambda **_: YAML(typ="safe", pure=True))
    composing.composed.cache_clear()
    slow = Document.parse(text, path.name)
    assert slow.data() == fast.data()
    for service in fast.own_keys(("services",)):
        for key in fast.own_keys(("services", service.value)):
            place = partial(Document.where_of, path=("services", service.value, key.value))
            assert place(slow) == place(fast)


def test_nested_aliases_are_built_once() -> None:
    # 2^60 values, if each alias were written out.
    text = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))
    value = data(text)["a59"]
    assert value[0] is value[1]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: {image: nginx:1.30, b: yes}\n", {"image": "nginx:1.30", "b": "yes"}),
        ("a: [80:80, 443:443]\n", ["80:80", "443:443"]),
        ("a: {url: http://db:5432/x, n: 1}\n", {"url": "http://db:5432/x", "n": 1}),
    ],
)
def test_colons_in_brackets_are_read_as_compose_reads_them(text: str, value: object) -> None:
    doc = Document.parse(f"# ü\nz: 1\n{text}", "x")
    assert doc.data(("a",)) == value
    assert doc.where_of(("a",)) == "x:3"


def test_names_are_those_of_the_keys_with_merged_ones() -> None:
    doc = Document.parse("base: &b {one: 1}\nservices:\n  <<: *b\n  two: {}\n  3: {}\nlist: [a]\n", "f")
    assert set(doc.names(("services",))) == {"one", "two", "3"} == {*doc.data(("services",))}
    assert doc.names(("list",)) == doc.names(("missing",)) == doc.names(("base", "one")) == ()
