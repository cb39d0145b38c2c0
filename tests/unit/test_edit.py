"""Edits: what was requested goes in or out, and no other byte changes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from stackctl.errors import StackfileError
from stackctl.stackfile import composing, edit
from stackctl.stackfile.document import Document
from tests.unit.build import GOLDEN, UPDATE_GOLDEN
from tests.unit.composed import TEXTS

SERVICE = 'new:\n  image: "new:latest"\n  expose:\n    - "80"\n  labels:\n    stackctl.role: app\n'
ROUTE = "x-stackctl:\n  domains:\n    - new.example.com\n  port: 80\n"
ITEM = '- domains:\n    - new.example.com\n  upstream: "10.0.0.5:80"\n'
SERVICES = ("services",)
APPS = ("x-stackctl", "apps")

FILES = sorted(path for path in (GOLDEN / "compose").glob("*.yml") if not path.name.endswith(".added.yml"))
EDITABLE = [path for path in FILES if not path.stem.startswith("flow")]

Edit = Callable[[Document], Document]


def parse(text: str) -> Document:
    return Document.parse(text, "f.yml")


def read(path: Path) -> Document:
    return Document.parse(path.read_bytes().decode(), path.name)


def refusal(act: Callable[[], object]) -> StackfileError:
    with pytest.raises(StackfileError) as caught:
        act()
    return caught.value


def assert_every_line_is_still_there(before: str, after: str) -> None:
    """Every line of ``before`` is in ``after``, unchanged and in its order."""
    # The file's last line may have no line ending, and get one.
    rest = iter(line.removesuffix("\n").removesuffix("\r") for line in after.split("\n"))
    for line in before.removesuffix("\n").split("\n") if before else ():
        assert line.removesuffix("\r") in rest, f"lost {line!r}"


def assert_there_and_back(text: str, add: Edit, remove: Edit) -> None:
    doc = parse(text)
    added = add(doc)
    assert added.text != text
    assert_every_line_is_still_there(text, added.text)
    assert remove(added).text == text


# What people write


@pytest.mark.parametrize("path", [path for path in EDITABLE if path.stem != "no_newline"], ids=lambda path: path.stem)
def test_a_service_and_a_route_go_into_the_users_file_as_expected(path: Path) -> None:
    doc = read(path)
    first = doc.own_keys(SERVICES)[0].value
    if doc.entry((*SERVICES, first, "x-stackctl")) is None:
        doc = edit.add_entry(doc, (*SERVICES, first), ROUTE)
    doc = edit.add_item(edit.add_entry(doc, SERVICES, SERVICE), APPS, ITEM)
    expected = path.with_suffix(".added.yml")
    if UPDATE_GOLDEN:
        expected.write_bytes(doc.text.encode())
    assert doc.text == expected.read_bytes().decode()


@pytest.mark.parametrize("path", EDITABLE, ids=lambda path: path.stem)
@pytest.mark.parametrize("pure", [False, True], ids=["C parser", "Python parser"])
def test_a_service_comes_and_goes_without_a_trace(path: Path, pure: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    composing.composed.cache_clear()
    if pure:
        monkeypatch.setattr(composing, "YAML", lambda **_: YAML(typ="safe", pure=True))
    assert_there_and_back(
        read(path).text,
        lambda doc: edit.add_entry(doc, SERVICES, SERVICE),
        lambda doc: edit.remove(doc, (*SERVICES, "new")),
    )


@pytest.mark.parametrize("path", EDITABLE, ids=lambda path: path.stem)
def test_a_route_comes_and_goes_without_a_trace_in_every_service(path: Path) -> None:
    doc = read(path)
    for service in doc.own_keys(SERVICES):
        where = (*SERVICES, service.value)
        if doc.entry((*where, "x-stackctl")) is None:
            assert_there_and_back(
                doc.text,
                lambda doc, where=where: edit.add_entry(doc, where, ROUTE),  # type: ignore[misc]
                lambda doc, where=where: edit.remove(doc, (*where, "x-stackctl")),  # type: ignore[misc]
            )


@pytest.mark.parametrize("path", EDITABLE, ids=lambda path: path.stem)
def test_an_app_outside_comes_and_goes_without_a_trace(path: Path) -> None:
    doc = read(path)
    count = len(doc.data(APPS) or [])
    assert_there_and_back(
        doc.text, lambda doc: edit.add_item(doc, APPS, ITEM), lambda doc: edit.remove(doc, (*APPS, count))
    )


@pytest.mark.parametrize("path", EDITABLE, ids=lambda path: path.stem)
def test_any_service_can_be_taken_out_of_the_users_file(path: Path) -> None:
    doc = read(path)
    for service in doc.own_keys(SERVICES):
        done = edit.remove(doc, (*SERVICES, service.value))
        expected = doc.data()
        del expected["services"][service.value]
        assert done.data() == (
            expected if expected["services"] else {k: v for k, v in expected.items() if k != "services"}
        )
        assert_every_line_is_still_there(done.text, doc.text)


def test_taking_a_service_out_leaves_the_comments_about_its_neighbours() -> None:
    doc = edit.remove(read(GOLDEN / "compose" / "comments.yml"), (*SERVICES, "web"))
    assert "# about the database" in doc.text
    assert "# api:" in doc.text
    assert "# commented out:" not in doc.text


# What Hypothesis writes


def assume_that_a_newline_at_the_end_means_nothing(text: str) -> None:
    """To a block scalar on the very last line it would: nothing can be added below without changing its value."""
    assume(text.endswith("\n") or parse(text).data() == parse(f"{text}\n").data())


@given(TEXTS)
def test_a_service_comes_and_goes_without_a_trace_in_any_layout(text: str) -> None:
    assume_that_a_newline_at_the_end_means_nothing(text)
    assert_there_and_back(
        text, lambda doc: edit.add_entry(doc, SERVICES, SERVICE), lambda doc: edit.remove(doc, (*SERVICES, "new"))
    )


@given(TEXTS)
def test_a_route_comes_and_goes_without_a_trace_in_any_layout(text: str) -> None:
    assume_that_a_newline_at_the_end_means_nothing(text)
    assert_there_and_back(
        text,
        lambda doc: edit.add_entry(doc, (*SERVICES, "s0"), ROUTE),
        lambda doc: edit.remove(doc, (*SERVICES, "s0", "x-stackctl")),
    )


@given(TEXTS)
def test_an_app_outside_comes_and_goes_without_a_trace_in_any_layout(text: str) -> None:
    assume_that_a_newline_at_the_end_means_nothing(text)
    count = len(parse(text).data(APPS) or [])
    assert_there_and_back(
        text, lambda doc: edit.add_item(doc, APPS, ITEM), lambda doc: edit.remove(doc, (*APPS, count))
    )


@given(TEXTS)
def test_a_setting_comes_and_goes_without_a_trace_in_any_layout(text: str) -> None:
    assume_that_a_newline_at_the_end_means_nothing(text)
    assert_there_and_back(
        text,
        lambda doc: edit.add_entry(doc, ("x-stackctl",), 'tls: "modern"\n'),
        lambda doc: edit.remove(doc, ("x-stackctl", "tls")),
    )


@given(TEXTS, st.data())
def test_taking_out_takes_out_one_run_of_lines_or_nothing(text: str, data: st.DataObject) -> None:
    doc = parse(text)
    services = [key.value for key in doc.own_keys(SERVICES)]
    service = data.draw(st.sampled_from(services))
    path = data.draw(st.sampled_from([(*SERVICES, service), (*SERVICES, service, "image")]))
    try:
        done = edit.remove(doc, path)
    except StackfileError:
        # An anchor that others use cannot go, nor what ends a block scalar above.
        assert re.search(r"&a|[|>]", text)
        return
    # The file's last line has a line ending or none, before and after.
    before, after = ([line.rstrip("\r\n") for line in lines] for lines in (doc.lines, done.lines))
    same = next((n for n, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), len(after))
    assert before[len(before) - (len(after) - same) :] == after[same:]
    assert done.data(path) is None


@given(TEXTS, st.sampled_from(['image: "other"\n', "image: other\n"]))
def test_replacing_a_value_changes_its_line_alone(text: str, block: str) -> None:
    doc = parse(text)
    done = edit.replace(doc, (*SERVICES, "s0", "image"), block)
    changed = [(a, b) for a, b in zip(doc.lines, done.lines, strict=True) if a != b]
    assert len(changed) == 1
    assert changed[0][0].strip() == "image: nginx"
    assert changed[0][1].strip() == block.strip()


# The places where it is easy to go wrong


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 'services:\n  new:\n    image: "x"\n'),
        ("# hello\n", '# hello\nservices:\n  new:\n    image: "x"\n'),
        ("# hello", '# hello\nservices:\n  new:\n    image: "x"\n'),
        ("services:\nvolumes: {}\n", 'services:\n  new:\n    image: "x"\nvolumes: {}\n'),
        ("services: {}\nvolumes: {}\n", 'services:\n  new:\n    image: "x"\nvolumes: {}\n'),
        ("name: x\n", 'name: x\n\nservices:\n  new:\n    image: "x"\n'),
        ("name: x\r\n", 'name: x\r\n\r\nservices:\r\n  new:\r\n    image: "x"\r\n'),
        ("---\nservices:\n  a: {}\n...\n", '---\nservices:\n  a: {}\n  new:\n    image: "x"\n...\n'),
        ("services:\n  a: {}\n\n  b: {}\n", 'services:\n  a: {}\n\n  b: {}\n\n  new:\n    image: "x"\n'),
        ("services:\n  a: {}\n  b: {}\n\n", 'services:\n  a: {}\n  b: {}\n  new:\n    image: "x"\n\n'),
    ],
)
def test_an_entry_takes_the_layout_of_its_neighbours(text: str, expected: str) -> None:
    assert edit.add_entry(parse(text), SERVICES, 'new:\n  image: "x"\n').text == expected


@pytest.mark.parametrize(
    "text",
    [
        "services:  # mine\nvolumes: {}\n",
        "services: {}  # none yet\n",
        "services:\n  # here they go\nvolumes: {}\n",
        "services: ~ # null\n",
    ],
)
def test_the_comment_of_an_empty_mapping_survives_its_first_entry(text: str) -> None:
    comment = text[text.index("#") :].split("\n", maxsplit=1)[0]
    assert comment in edit.add_entry(parse(text), SERVICES, SERVICE).text


@pytest.mark.parametrize(
    "text", ["x-stackctl:\n  apps: []\n", "x-stackctl:\n  apps:\n", "x-stackctl:\n", "x-stackctl: {}\n"]
)
def test_an_empty_list_takes_its_first_item(text: str) -> None:
    done = edit.add_item(parse(text), APPS, ITEM)
    assert done.data(APPS) == [{"domains": ["new.example.com"], "upstream": "10.0.0.5:80"}]


def test_the_first_key_of_a_file_with_a_bom_is_no_deeper_than_the_others() -> None:
    done = edit.add_entry(parse("\ufeffservices:\n  a: {}\n"), ("x-stackctl",), "tls: modern\n")
    assert done.text == "\ufeffservices:\n  a: {}\n\nx-stackctl:\n  tls: modern\n"


@pytest.mark.parametrize(
    "text",
    [
        "x-log: &log\n  driver: local\nservices:\n  a:\n    image: x\n    logging: *log\nvolumes: {}\n",
        "x-base: &base\n  restart: always\nservices:\n  a:\n    image: x\n    <<: *base\nvolumes: {}\n",
        "x-base: &base\n  restart: always\nservices:\n  a:\n    <<: *base\nvolumes: {}\n",
        "x-base: &base\n  restart: always\nservices:\n  a: *base\nvolumes: {}\n",
    ],
    ids=["a value", "a merge", "a merge alone", "a service"],
)
def test_an_alias_at_the_end_is_where_it_is_used_not_where_it_is_defined(text: str) -> None:
    done = edit.add_entry(parse(text), SERVICES, "new:\n  image: x\n")
    assert done.text == text.replace("volumes: {}\n", "  new:\n    image: x\nvolumes: {}\n")


@pytest.mark.parametrize("anchor", ["x-vol: &vol ./a:/a\n", "x-vol: &vol\n  source: ./a\n  target: /a\n"])
def test_an_alias_at_the_end_of_a_list_is_where_it_is_used(anchor: str) -> None:
    text = f"{anchor}services:\n  a:\n    volumes:\n      - b:/b\n      - *vol\nvolumes: {{}}\n"
    done = edit.add_entry(parse(text), SERVICES, "new:\n  image: x\n")
    assert done.text == text.replace("volumes: {}\n", "  new:\n    image: x\nvolumes: {}\n")


def test_a_route_goes_into_a_service_that_is_all_merged() -> None:
    text = "x-base: &base\n  image: x\nservices:\n  a:\n    <<: *base\n"
    assert edit.add_entry(parse(text), (*SERVICES, "a"), "x-stackctl:\n  port: 1\n").text == (
        text + "    x-stackctl:\n      port: 1\n"
    )


@pytest.mark.parametrize("header", ["|+", ">+", "|2+"])
@pytest.mark.parametrize("tail", ["", "\n", "\n\n"])
def test_a_block_scalar_that_keeps_its_newlines_is_not_changed_by_what_follows(header: str, tail: str) -> None:
    text = f"services:\n  a:\n    command: {header}\n      echo\n{tail}"
    done = edit.add_entry(parse(text), SERVICES, "new:\n  image: x\n")
    assert done.data((*SERVICES, "a")) == parse(text).data((*SERVICES, "a"))


def test_a_block_scalar_that_ends_with_the_file_and_no_newline_is_not_changed() -> None:
    text = "services:\n  a:\n    command: |\n      one\n      two"
    error = refusal(lambda: edit.add_entry(parse(text), SERVICES, SERVICE))
    assert error.hint
    assert "nothing has been changed" in error.hint


def test_the_last_entry_takes_its_mapping_along() -> None:
    text = "x-stackctl:\n  apps:\n    - upstream: a:1\nservices:\n  a: {}\n"
    assert edit.remove(parse(text), (*APPS, 0)).text == "services:\n  a: {}\n"


@pytest.mark.parametrize("dash", ["", "  ", "    "])
def test_items_are_found_whatever_the_column_of_their_dash(dash: str) -> None:
    text = f"x-stackctl:\n  apps:\n  {dash}- upstream: a:1\n  {dash}# between\n  {dash}- upstream: b:1\n  tls: modern\n"
    doc = parse(text)
    assert edit.remove(doc, (*APPS, 0)).data(APPS) == [{"upstream": "b:1"}]
    assert edit.add_item(doc, APPS, ITEM).data(APPS)[2]["domains"] == ["new.example.com"]


def test_replacing_by_a_block_takes_the_indentation_of_the_place() -> None:
    text = (
        "services:\n    a:\n        image: x  # why\n        command: [a,\n          b]\n        # on\n        x: 1\n"
    )
    done = edit.replace(parse(text), (*SERVICES, "a", "command"), "command:\n  - c\n")
    assert done.text == text.replace("[a,\n          b]", "\n          - c").replace("command: \n", "command:\n")


# Refusals


def test_a_flow_mapping_is_refused_by_name_and_place() -> None:
    error = refusal(lambda: edit.add_entry(read(GOLDEN / "compose" / "flow.yml"), SERVICES, SERVICE))
    assert str(error).startswith("flow.yml:1: services is in flow style")
    assert error.hint == "write it as an indented block"


def test_a_flow_service_is_refused_and_its_block_neighbour_is_not() -> None:
    doc = read(GOLDEN / "compose" / "flow_service.yml")
    error = refusal(lambda: edit.add_entry(doc, (*SERVICES, "web"), ROUTE))
    assert str(error).startswith("flow_service.yml:2: services.web is in flow style")
    assert edit.add_entry(doc, (*SERVICES, "db"), ROUTE).data((*SERVICES, "db", "x-stackctl", "port")) == 80


@pytest.mark.parametrize(
    ("act", "text"),
    [
        (lambda doc: edit.add_item(doc, APPS, ITEM), "x-stackctl:\n  apps: [{upstream: a}]\n"),
        (lambda doc: edit.remove(doc, (*APPS, 0)), "x-stackctl:\n  apps: [{upstream: a}, {upstream: b}]\n"),
        (lambda doc: edit.remove(doc, (*SERVICES, "a")), "services: {a: {}, b: {}}\n"),
        (lambda doc: edit.replace(doc, ("x-stackctl", "tls"), "tls: modern\n"), "x-stackctl: {tls: intermediate}\n"),
        (lambda doc: edit.add_entry(doc, ("x-stackctl",), "a: 1\n"), "{services: {}}\n"),
    ],
)
def test_every_edit_refuses_flow_style(act: Edit, text: str) -> None:
    error = refusal(lambda: act(parse(text)))
    assert "is in flow style (braces or brackets)" in error.message
    assert error.where
    assert error.where.startswith("f.yml:")


def test_an_alias_of_another_service_is_refused() -> None:
    doc = parse("services:\n  a: &a\n    image: x\n  b: *a\n")
    error = refusal(lambda: edit.add_entry(doc, (*SERVICES, "b"), ROUTE))
    assert str(error) == "f.yml:4: services.b is an alias of another block: an edit would change both"


@pytest.mark.parametrize("user", ["b: *a", "b:\n    <<: *a\n    image: y"])
def test_a_service_that_another_is_made_from_is_refused(user: str) -> None:
    doc = parse(f"services:\n  a: &a\n    image: x\n  {user}\n")
    refusal(lambda: edit.add_entry(doc, (*SERVICES, "a"), ROUTE))


@pytest.mark.parametrize("act", [edit.remove, lambda doc, path: edit.replace(doc, path, "image: y\n")])
def test_a_merged_key_is_not_edited_where_it_is_merged_from(
    act: Callable[[Document, tuple[str, ...]], Document],
) -> None:
    doc = parse("services:\n  a: &a\n    image: x\n    init: true\n  b:\n    <<: *a\n")
    assert refusal(lambda: act(doc, (*SERVICES, "b", "image"))).hint


def test_a_service_that_is_all_merged_is_not_taken_out_with_one_of_its_keys() -> None:
    doc = parse("services:\n  a: &a\n    image: x\n    init: true\n  b:\n    <<: *a\n")
    refusal(lambda: edit.remove(doc, (*SERVICES, "b", "init")))


def test_an_anchor_that_others_use_is_not_taken_out() -> None:
    doc = parse("services:\n  a: &a\n    image: x\n  b:\n    <<: *a\n    init: true\n")
    error = refusal(lambda: edit.remove(doc, (*SERVICES, "a")))
    assert error.hint
    assert "nothing has been changed" in error.hint


@pytest.mark.parametrize("text", ["services: text\n", "services: 1\n", "services:\n  - a\n"])
def test_what_is_no_mapping_takes_no_entry(text: str) -> None:
    error = refusal(lambda: edit.add_entry(parse(text), SERVICES, SERVICE))
    assert str(error) == "f.yml:1: this must be a mapping"


def test_an_empty_list_where_a_mapping_belongs_is_refused_or_filled() -> None:
    try:
        done = edit.add_entry(parse("services: []\n"), SERVICES, SERVICE)
    except StackfileError:
        return
    assert list(done.data(SERVICES)) == ["new"]


@pytest.mark.parametrize("text", ["x-stackctl:\n  apps: text\n", "x-stackctl:\n  apps:\n    a: 1\n"])
def test_what_is_no_list_takes_no_item(text: str) -> None:
    assert "f.yml:2: this must be a list" in str(refusal(lambda: edit.add_item(parse(text), APPS, ITEM)))


@pytest.mark.parametrize("act", [edit.remove, lambda doc, path: edit.replace(doc, path, "b: 1\n")])
def test_what_is_not_there_cannot_be_changed(act: Callable[[Document, tuple[str, ...]], Document]) -> None:
    error = refusal(lambda: act(parse("services:\n  a: {}\n"), (*SERVICES, "b")))
    assert str(error) == "f.yml:1: there is no services.b"


def test_a_key_that_is_there_is_not_added_again() -> None:
    refusal(lambda: edit.add_entry(parse("services:\n  new:\n    image: y\n"), SERVICES, SERVICE))


@pytest.mark.parametrize(
    "text",
    ["x-stackctl:\n  apps:\n  -\n    upstream: a:1\n", "x-stackctl:\n  ? apps\n  : - upstream: a:1\n"],
    ids=["dash on a line of its own", "explicit key"],
)
def test_an_odd_layout_is_edited_rightly_or_refused_with_a_next_step(text: str) -> None:
    try:
        done = edit.add_item(parse(text), APPS, ITEM)
    except StackfileError as error:
        refused = error
    else:
        assert len(done.data(APPS)) == 2
        return
    assert refused.hint
    assert "nothing has been changed" in refused.hint
