"""docs/reference/json-output.md says what --output json prints."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from stackctl.adopt.proposal import Handling
from stackctl.diagnose.check import Check
from stackctl.diagnose.dns_records import Finding
from stackctl.engine.apply.execute import Step
from stackctl.errors import InputError
from stackctl.plan.diff import FileDiff
from stackctl.plan.operation import Plan
from stackctl.plan.operations import Publish
from stackctl.usecases.adopt.report import (
    AdoptComparison,
    AdoptDifference,
    AdoptedSite,
    AdoptRemark,
    AdoptReport,
)
from stackctl.usecases.alerts import AlertsReport, SentMessage
from stackctl.usecases.as_json import VERSION, error_object, failure_object, payload_object, result_object
from stackctl.usecases.backup import BackupReport
from stackctl.usecases.cert_export import ExportReport
from stackctl.usecases.cert_import import ImportReport
from stackctl.usecases.cert_looks import CertificateRow, ListReport, ShowReport
from stackctl.usecases.config import ConfigReport
from stackctl.usecases.dns import FindingsReport, ZoneRow, ZonesReport
from stackctl.usecases.doctor.doctor import DoctorReport
from stackctl.usecases.explain import ContainerReport, ExplainReport, HopReport
from stackctl.usecases.history import ChangedFile, EntryReport, HistoryReport
from stackctl.usecases.metrics import MetricsReport
from stackctl.usecases.renew import RenewReport, SiteRenewal
from stackctl.usecases.restore import RestoreReport
from stackctl.usecases.result import Result
from stackctl.usecases.rollback import RollbackReport
from stackctl.usecases.servers import ServersReport, ServerStatus
from stackctl.usecases.status import RenewalStatus, RouteStatus, SiteStatus, StatusReport, StreamStatus
from stackctl.usecases.trust import TrustReport
from stackctl.usecases.up_down import DownReport
from stackctl.usecases.users import ListedUser, UsersReport
from tests.docs.commands import commands
from tests.docs.pages import REFERENCE, Page

PAGE = Page(REFERENCE / "json-output.md")
OBJECTS: list[dict[str, Any]] = [json.loads(block) for block in PAGE.blocks("json")]
OWN = {
    *(
        "adopt",
        "doctor",
        "explain",
        "status",
        "renew",
        "down",
        "history",
        "rollback",
        "backup",
        "restore",
        "config",
        "metrics",
    ),
    *(
        "metrics",
        "alerts test",
        "alerts send",
        "servers show",
        "trust",
        "untrust",
        "cert list",
        "cert show",
        "cert import",
        "cert export",
        "dns test",
        "dns list",
        "user list",
    ),
}


def printed(command: str) -> dict[str, Any]:
    operation = Publish(cause="the proxy's files change")
    return result_object(Result(command, None, Plan((operation,)), (Step(operation, "done"),)))


def keys(heading: str) -> list[str]:
    return [row[0] for row in PAGE.table(heading)]


def test_the_version_is_the_documented_one() -> None:
    assert f"`version` is {VERSION}." in PAGE.text
    assert {shown["version"] for shown in OBJECTS} == {VERSION}


def json_keys(kind: type) -> list[str]:
    return [one.metadata.get("json", one.name) for one in fields(kind)]


@pytest.mark.parametrize(
    ("heading", "kind"),
    [
        ("adopt", AdoptReport),
        ("A site of adopt", AdoptedSite),
        ("A remark of adopt", AdoptRemark),
        ("The comparison of adopt", AdoptComparison),
        ("A difference of adopt", AdoptDifference),
        ("down", DownReport),
        ("renew", RenewReport),
        ("A row of renew", SiteRenewal),
        ("cert list", ListReport),
        ("A row of cert list", CertificateRow),
        ("cert show", ShowReport),
        ("cert import", ImportReport),
        ("cert export", ExportReport),
        ("status", StatusReport),
        ("The renewal of status", RenewalStatus),
        ("A row of status", SiteStatus),
        ("A route of status", RouteStatus),
        ("A stream of status", StreamStatus),
        ("servers show", ServersReport),
        ("A row of servers show", ServerStatus),
        ("dns test", FindingsReport),
        ("A row of dns test", Finding),
        ("dns list", ZonesReport),
        ("A row of dns list", ZoneRow),
        ("user list", UsersReport),
        ("A row of user list", ListedUser),
        ("history", HistoryReport),
        ("A row of history", EntryReport),
        ("rollback", RollbackReport),
        ("config", ConfigReport),
        ("metrics", MetricsReport),
        ("alerts test", AlertsReport),
        ("alerts send", AlertsReport),
        ("An entry of sent", SentMessage),
        ("doctor", DoctorReport),
        ("A check of doctor", Check),
        ("explain", ExplainReport),
        ("A link of explain", HopReport),
        ("A container of explain", ContainerReport),
        ("backup", BackupReport),
        ("restore", RestoreReport),
        ("trust", TrustReport),
        ("untrust", TrustReport),
    ],
)
def test_a_payload_has_the_documented_keys(heading: str, kind: type) -> None:
    assert keys(heading) == json_keys(kind)


def test_values_are_converted_to_json() -> None:
    at = datetime(2026, 8, 1, 12, tzinfo=UTC)
    remark = AdoptRemark(Handling.UNSUPPORTED, "x", "a:1")
    shown = payload_object(AdoptReport((), (remark,), ("b",), "nginx/custom", "", stops=True, replaced=False))
    assert shown == {
        "sites": [],
        "remarks": [{"fate": "lost", "text": "x", "from": "a:1"}],
        "custom": ["b"],
        "folder": "nginx/custom",
        "diff": "",
        "stops": True,
        "replaced": False,
        "comparison": None,
        "gap_ms": None,
    }
    entry = EntryReport(1, at, "stackctl up", "change", (ChangedFile("a", "new", 1, 0),), (), None, {"x": "y"})
    assert payload_object(HistoryReport((entry,)))["entries"] == [
        {
            "number": 1,
            "at": "2026-08-01T12:00:00+00:00",
            "command": "stackctl up",
            "kind": "change",
            "files": [{"path": "a", "status": "new", "added": 1, "removed": 0}],
            "changes": [],
            "generation": None,
            "lineages": {"x": "y"},
        }
    ]


def test_the_common_keys_are_those_of_every_result() -> None:
    assert keys("Every command") == list(printed("up"))


def test_an_operation_has_the_documented_keys() -> None:
    assert keys("An operation") == list(printed("up")["operations"][0])


def test_a_difference_has_the_documented_keys() -> None:
    diffs = ((FileDiff("docker-compose.yml", "changed", ("@@ -1 +1 @@", "-a", "+b")),),)
    shown = result_object(Result("plan", None, dry_run=True, diffs=diffs))
    assert keys("A difference") == list(shown["diffs"][0])
    assert list(shown)[-1] == "diffs"
    (example,) = (found for found in OBJECTS if found["command"] == "plan")
    assert keys("A difference") == list(example["diffs"][0])


def test_an_error_has_the_documented_keys() -> None:
    assert keys("An error") == list(error_object(InputError("no")))


def test_every_example_has_the_documented_keys() -> None:
    finished = [shown for shown in OBJECTS if "changed" in shown]
    assert {shown["command"] for shown in finished} == set(commands()) - {"logs", "schema", "edit", "ui"}
    for shown in finished:
        own = keys(shown["command"]) if shown["command"] in OWN else []
        diffs = ["diffs"] if "diffs" in shown else []
        assert list(shown) == [*keys("Every command"), *own, *diffs]
        assert shown["dry_run"] or not diffs


@pytest.mark.parametrize(
    ("command", "key"),
    [
        ("status", "apps"),
        ("renew", "apps"),
        ("history", "entries"),
        ("servers show", "servers"),
        ("cert list", "certificates"),
        ("dns test", "findings"),
        ("dns list", "zones"),
        ("user list", "users"),
    ],
)
def test_the_rows_have_the_documented_keys(command: str, key: str) -> None:
    shown = next(shown for shown in OBJECTS if shown["command"] == command)
    assert shown[key]
    for row in shown[key]:
        assert list(row) == keys(f"A row of {command}")


def test_a_command_that_did_not_start_prints_less() -> None:
    short = [shown for shown in OBJECTS if "changed" not in shown]
    assert [list(shown) for shown in short] == [list(failure_object("add-app", InputError("no")))]


def test_no_example_shows_a_path_of_a_machine() -> None:
    assert f"{Path.home()}/" not in PAGE.text


def test_the_checks_have_the_documented_keys() -> None:
    shown = next(shown for shown in OBJECTS if shown["command"] == "doctor")
    checks = [check for section in shown["sections"] for check in section["checks"]]
    assert checks
    assert all(list(row) == keys("A check of doctor") for row in [*checks, shown["first"]])


def test_the_path_of_a_request_has_the_documented_keys() -> None:
    shown = next(shown for shown in OBJECTS if shown["command"] == "explain")
    assert all(list(row) == keys("A link of explain") for row in [*shown["links"], shown["broken"]])
    assert all(list(row) == keys("A container of explain") for row in shown["containers"])
