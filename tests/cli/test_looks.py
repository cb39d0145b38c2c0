"""How texts look: at 80 and 120 columns, without a terminal, and with foreign text in them."""

from __future__ import annotations

import ast
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

import stackctl.cli
from stackctl import wording
from stackctl.certs.request import CertificateRequest
from stackctl.cli import console as printing
from stackctl.cli.report import TextReport
from stackctl.cli.show import show_error, show_text
from stackctl.cli.table import table
from stackctl.cli.views import doctor, explain, history, status
from stackctl.cli.views.plan import show_plan
from stackctl.diagnose.check import Section, Verdict, skipped
from stackctl.diagnose.hops import HopKind
from stackctl.errors import EngineError
from stackctl.model.values import Domain
from stackctl.plan.certificates import Issue
from stackctl.plan.operation import Plan
from stackctl.usecases.doctor.doctor import DoctorReport
from stackctl.usecases.explain import EarlierReport, ExplainReport, HopReport, LogEntry
from stackctl.usecases.history import ChangedFile, EntryReport, HistoryReport
from stackctl.usecases.result import Result
from stackctl.usecases.status import RouteStatus, SiteStatus, StatusReport
from tests.offenders import no_offenders

LONG = f"{'a-quite-long-label' * 2}.shop.customer-of-ours.example.com"
NAMES = [Domain(f"alias-{n}.customer-of-ours.example.com") for n in range(100)]
widths = pytest.mark.parametrize("width", [80, 120, None], ids=["80", "120", "piped"])
NOT_PRINTED = "\x1b]0;title\x07\x9b31m\u202eevil\r\x00"


class Screen:
    """A console that keeps what it is given."""

    def __init__(self, width: int | None) -> None:
        self.file = io.StringIO()
        self.console = Console(file=self.file, width=width or 200, force_terminal=width is not None)
        self.width = width

    @property
    def lines(self) -> list[str]:
        return re.sub("\x1b\\[[0-9;]*m", "", self.file.getvalue()).splitlines()

    def assert_fits(self, *words: str) -> None:
        """Each word is whole on one line; a terminal shows no line that is wider than it."""
        if self.width is not None:
            no_offenders(line for line in self.lines if len(line) > self.width)
        no_offenders(word for word in words if not any(word in line for line in self.lines))


def site(name: str, aliases: Sequence[Domain], upstream: str, served: str = "real") -> SiteStatus:
    until = datetime(2027, 2, 20, tzinfo=UTC)
    routes = (RouteStatus("/", upstream, "healthy", "f.yml:3"),)
    ca = "Let's Encrypt R12"
    return SiteStatus(Domain(name), tuple(aliases), upstream, "healthy", ca, until, 86, None, served, routes)


@widths
def test_status_fits_and_breaks_no_word(width: int | None) -> None:
    screen = Screen(width)
    rows = (site(LONG, NAMES, "a-service-with-a-long-name:8000"), site("b.example.com", (), "b:80", "dummy"))
    status.show(screen.console, Result("status", StatusReport("sites", "running", rows)))
    screen.assert_fits(LONG, "a-service-with-a-long-name:8000", "2027-02-20", "b.example.com")
    assert "and 97 more" in screen.file.getvalue()
    if width is None:
        assert len(screen.lines) == 4


def test_status_has_a_line_for_each_route() -> None:
    screen = Screen(None)
    api = RouteStatus("/api", "api:3000", "unhealthy", "f.yml:9")
    rule = RouteStatus("POST header x-a=~^b", "answers 403", None, "f.yml:12")
    whole = site("a.example.com", (), "web:80")
    rows = (replace(whole, routes=(*whole.routes, api, rule)), replace(site("b.example.com", (), "x"), routes=(api,)))
    status.show(screen.console, Result("status", StatusReport("sites", "running", rows)))
    assert [re.split(" {2,}", line) for line in screen.lines[2:]] == [
        ["a.example.com", "-", "web:80", "healthy", "Let's Encrypt R12", "2027-02-20 (86 days)", "real"],
        ["a.example.com/api", "-", "api:3000", "unhealthy", "-", "-"],
        ["a.example.com POST header x-a=~^b", "-", "answers 403", "-", "-", "-"],
        ["b.example.com", "-", "404 for other paths", "-", "Let's Encrypt R12", "2027-02-20 (86 days)", "real"],
        ["b.example.com/api", "-", "api:3000", "unhealthy", "-", "-"],
    ]


def test_status_of_ordinary_names_stays_a_table_at_80_columns() -> None:
    screen = Screen(80)
    rows = (site("example.com", [Domain("www.example.com"), Domain("shop.example.com")], "web:8000"),)
    status.show(screen.console, Result("status", StatusReport("sites", "running", rows)))
    assert screen.lines == [
        "project sites, proxy running",
        "SITE         ALIASES              UPSTREAM  HEALTH   ISSUER   NOT AFTER   SERVED",
        "example.com  www.example.com,     web:8000  healthy  Let's    2027-02-20  real",
        "             shop.example.com                        Encrypt  (86 days)",
        "                                                     R12",
    ]


@widths
def test_history_fits_and_breaks_no_word(width: int | None) -> None:
    screen = Screen(width)
    files = tuple(ChangedFile(f"nginx/custom/{name}.conf", "changed", 3, 1) for name in NAMES[:9])
    command = f"stackctl add-app {LONG} --alias {NAMES[0]} --alias {NAMES[1]}"
    entry = EntryReport(
        12, datetime(2026, 11, 26, 18, 42, tzinfo=UTC), command, "change", files, (), None, MappingProxyType({})
    )
    history.show(screen.console, Result("history", HistoryReport((entry,))))
    screen.assert_fits(f"nginx/custom/{NAMES[0]}.conf", "2026-11-26")
    if width is None:
        assert len(screen.lines) == 3


@widths
def test_explain_and_doctor_and_a_plan_fit_and_break_no_word(width: int | None) -> None:
    screen = Screen(width)
    text = f"stack-one-1 on stack_default at 10.9.0.4, port 8000, which is asked as {LONG}: running, no health check"
    hop = HopReport(
        HopKind.CONTAINER, Verdict.WRONG, text, "docker-compose.yml:12", "it is not running", "run 'stackctl up'"
    )
    log = LogEntry(
        "2026/11/26 10:00:00", "error", "connect() failed (111: Connection refused)", "GET / HTTP/1.1", None, "look"
    )
    route = HopReport(HopKind.ROUTE, Verdict.OK, text, "docker-compose.yml:12", None, None)
    earlier = (EarlierReport("docker-compose.yml:9", "path /x", f"the path is /{LONG}, not below /x"),) * 30
    hops = (hop, route, hop)
    report = ExplainReport(
        *(Domain(LONG), "/", "POST", True, False, hop, hops, None, earlier),
        *(502, None, 301, None, None, (), (log, log)),
    )
    explain.show(screen.console, Result("explain", report))
    checks = skipped(["days", "names"], f"the certificate of {LONG} was never issued, so that it cannot be read", LONG)
    doctor.show(screen.console, Result("doctor", DoctorReport((Section("certificates", tuple(checks)),), None)))
    names = tuple(NAMES)
    plan = Plan((Issue(request=CertificateRequest(names[0], names), source="acme", cause=f"none for {LONG}"),))
    show_plan(screen.console, Result("up", None, plan, dry_run=True))
    screen.assert_fits(LONG, "docker-compose.yml:12", NAMES[4], "95", "connect()", "Connection refused)")


def test_checks_that_were_not_made_for_one_reason_are_one_line() -> None:
    names = ["on-disk", "names", "days", "key", "key-file", "links", "wire", "renewal"]
    checks = (*skipped(names, "none is issued", "a.example.com"), *skipped(["days"], "none is issued", "b.example.com"))
    screen = Screen(None)
    doctor.show(screen.console, Result("doctor", DoctorReport((Section("certificates", checks),), None)))
    marked = [line for line in screen.lines if line.startswith("  ? ")]
    assert [line.split("  ")[1] for line in marked] == [f"? {', '.join(names)}", "? days"]


@given(st.lists(st.text(st.sampled_from("ab .:é漢"), max_size=60), min_size=6, max_size=6), st.integers(20, 90))
def test_a_table_loses_no_character_and_fits_at_any_width(cells: list[str], width: int) -> None:
    screen = Screen(width)
    table(screen.console, ("1", "2", "3"), [cells[:3], cells[3:]])
    shown = Counter("".join(screen.lines))
    del shown[" "]
    assert {one: shown[one] for one in "ab.:é漢"} == {one: "".join(cells).count(one) for one in "ab.:é漢"}
    no_offenders(line for line in screen.lines if cell_len(line) > width)


def test_what_a_text_looks_like_to_rich_or_a_terminal_is_printed_as_it_is() -> None:
    for width in (80, None):
        screen = Screen(width)
        report = TextReport(screen.console, verbose=False)
        report.note("image a:b:c, :smile: [red]x[/red] 'quoted' 1.2.3.4")
        show_error(screen.console, EngineError("[bold]:warning: no", hint="see [/]"))
        assert screen.lines == [
            "· image a:b:c, :smile: [red]x[/red] 'quoted' 1.2.3.4",
            "error: [bold]:warning: no",
            "  → see [/]",
        ]


def test_what_would_control_a_terminal_is_shown_escaped() -> None:
    shown = r"\x1b]0;title\x07\x9b31m\u202eevil\r\x00"
    assert wording.printable(f"a\tb\r\nc{NOT_PRINTED}") == f"a\tb\nc{shown}"
    assert wording.printable(b"caf\xe9".decode("utf-8", "surrogateescape")) == r"caf\xe9"
    for width in (80, None):
        screen = Screen(width)
        printing.plain(screen.console, NOT_PRINTED)
        printing.verbatim(screen.console, NOT_PRINTED)
        table(screen.console, ("A", "B"), [(NOT_PRINTED, NOT_PRINTED)])
        show_text(screen.console, screen.console, Result("up", None, notes=(NOT_PRINTED,)), lambda *_: None)
        assert screen.lines == [shown, shown, f"A{' ' * len(shown)} B", f"{shown}  {shown}", f"· {shown}"]


@given(st.text())
def test_no_text_gets_a_control_character_to_the_terminal(text: str) -> None:
    kept = set(wording.printable(text)) - {"\n", "\t"}
    assert not [one for one in kept if ord(one) < 32 or 0x7F <= ord(one) <= 0x9F or 0x202A <= ord(one) <= 0x202E]


def test_a_note_keeps_its_mark_while_a_spinner_turns() -> None:
    screen = Screen(80)
    report = TextReport(screen.console, verbose=False)
    report.begin(Issue(request=CertificateRequest(NAMES[0], (NAMES[0],)), source="acme", cause="none"))
    report.note("a.example.com: issued")
    report.close()
    printed = re.sub("\x1b\\[[0-9;]*m", "", screen.file.getvalue())
    assert "· a.example.com: issued\n" in printed


def test_only_one_module_prints() -> None:
    """Everything that is printed goes through the functions of ``cli.console``, which make it safe."""
    folder = Path(stackctl.cli.__file__).parent
    no_offenders(
        f"{path.relative_to(folder)}:{node.lineno}"
        for path in sorted(folder.rglob("*.py"))
        if path.name not in {"console.py", "table.py"}
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in {"print", "echo", "secho", "out"}
    )
