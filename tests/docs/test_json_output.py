"""docs/reference/json-output.md says what --output json prints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stackctl.cli.show import as_json, error_object
from stackctl.engine.apply.execute import Step
from stackctl.errors import InputError
from stackctl.plan.diff import FileDiff
from stackctl.plan.operation import Plan
from stackctl.plan.operations import Publish
from stackctl.usecases.result import Result
from tests.docs.commands import commands
from tests.docs.pages import REFERENCE, Page

PAGE = Page(REFERENCE / "json-output.md")
OBJECTS: list[dict[str, Any]] = [json.loads(block) for block in PAGE.blocks("json")]
OWN = {
    *("adopt", "doctor", "explain", "status", "renew", "down", "history", "rollback", "backup", "restore", "config"),
}


def printed(command: str, **data: Any) -> dict[str, Any]:
    operation = Publish(cause="the proxy's files change")
    result = Result(command, Plan((operation,)), (Step(operation, "done"),), data=data)
    loaded: dict[str, Any] = json.loads(as_json(result, []))
    return loaded


def keys(heading: str) -> list[str]:
    return [row[0] for row in PAGE.table(heading)]


def test_the_common_keys_are_those_of_every_result() -> None:
    assert keys("Every command") == list(printed("up"))


def test_an_operation_has_the_documented_keys() -> None:
    assert keys("An operation") == list(printed("up")["operations"][0])


def test_a_difference_has_the_documented_keys() -> None:
    diffs = ((FileDiff("docker-compose.yml", "changed", ("@@ -1 +1 @@", "-a", "+b")),),)
    shown = json.loads(as_json(Result("plan", dry_run=True, diffs=diffs), []))
    assert keys("A difference") == list(shown["diffs"][0])
    assert list(shown)[-1] == "diffs"
    (example,) = (found for found in OBJECTS if found["command"] == "plan")
    assert keys("A difference") == list(example["diffs"][0])


def test_an_error_has_the_documented_keys() -> None:
    assert keys("An error") == list(error_object(InputError("no")))


def test_every_example_has_the_documented_keys() -> None:
    finished = [shown for shown in OBJECTS if "changed" in shown]
    assert {shown["command"] for shown in finished} == set(commands()) - {"logs", "schema", "edit"}
    for shown in finished:
        own = keys(shown["command"]) if shown["command"] in OWN else []
        diffs = ["diffs"] if "diffs" in shown else []
        assert list(shown) == [*keys("Every command"), *own, *diffs]
        assert shown["dry_run"] or not diffs


@pytest.mark.parametrize(("command", "key"), [("status", "apps"), ("renew", "apps"), ("history", "entries")])
def test_the_rows_have_the_documented_keys(command: str, key: str) -> None:
    shown = next(shown for shown in OBJECTS if shown["command"] == command)
    assert shown[key]
    for row in shown[key]:
        assert list(row) == keys(f"A row of {command}")


def test_a_command_that_did_not_start_prints_less() -> None:
    short = [shown for shown in OBJECTS if "changed" not in shown]
    assert [list(shown) for shown in short] == [["command", "ok", "errors", "notes"]]


def test_no_example_shows_a_path_of_a_machine() -> None:
    assert str(Path.home()) not in PAGE.text


def test_the_checks_have_the_documented_keys() -> None:
    shown = next(shown for shown in OBJECTS if shown["command"] == "doctor")
    checks = [check for section in shown["sections"] for check in section["checks"]]
    assert checks
    assert all(list(row) == keys("A check of doctor") for row in [*checks, shown["first"]])


def test_the_way_of_a_request_has_the_documented_keys() -> None:
    shown = next(shown for shown in OBJECTS if shown["command"] == "explain")
    assert all(list(row) == keys("A link of explain") for row in [*shown["links"], shown["broken"]])
    assert all(list(row) == keys("A container of explain") for row in shown["containers"])
