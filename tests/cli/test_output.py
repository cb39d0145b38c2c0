from __future__ import annotations

import json
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from stackctl import __version__
from stackctl.adapters.fakes.certbot import FakeCa
from stackctl.adapters.net.resolver import parse_resolver
from stackctl.cli import commands
from stackctl.cli.main import app
from stackctl.cli.views.plan import show_plan
from stackctl.errors import InputError
from stackctl.observed.network import Answer, Lookup
from stackctl.plan.diff import FileDiff
from stackctl.plan.operation import Plan
from stackctl.plan.operations import Publish
from stackctl.usecases.result import Result
from tests.cli.conftest import Cli
from tests.docs.commands import listed
from tests.offenders import no_offenders

COMMANDS = [
    *("init", "add-app", "remove-app", "edit", "plan", "up", "down", "renew", "status", "logs", "doctor", "explain"),
    *("config", "history", "rollback", "backup", "restore", "schema"),
]
KEYS = {"version", "command", "ok", "changed", "dry_run", "operations", "errors", "notes"}
SLOW = ("docker", "jinja2", "cryptography", "ruamel", "msgspec", "psutil", "idna", "dns", "crossplane")


def test_the_version() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"stackctl {__version__}\n")


def test_help() -> None:
    for command in [[], *([command] for command in COMMANDS)]:
        long, short = (CliRunner().invoke(app, [*command, option]) for option in ("--help", "-h"))
        assert (long.exit_code, short.exit_code, long.stdout) == (0, 0, short.stdout), command
        assert "Usage:" in long.stdout, command
    listed = CliRunner().invoke(app, ["--help"]).stdout
    no_offenders(command for command in COMMANDS if f" {command} " not in listed)


def test_the_list_of_commands_is_not_cut_in_a_usual_terminal() -> None:
    lines = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "80"}).stdout.splitlines()
    assert [line for line in lines[1:] if line.endswith("...")] == []


def test_every_command_is_known() -> None:
    assert set(listed()) >= set(COMMANDS)


def test_the_lists_of_commands_say_what_the_commands_say() -> None:
    for name, one in listed().items():
        assert one.get_short_help_str(80) == one.command.get_short_help_str(80), name
        assert one.rich_help_panel == one.command.rich_help_panel, name
        assert one.name == one.command.name == name.rpartition(" ")[2], name


def test_every_module_of_a_command_is_listed() -> None:
    modules = {one.load().__module__.rpartition(".")[2] for one in listed().values()}
    assert modules == {module.name for module in pkgutil.iter_modules(commands.__path__)}


@pytest.mark.parametrize(
    ("arguments", "imported"),
    [("--help", set()), ("servers --help", set()), ("statsu", set()), ("up --help", {"up"}), ("dns list -h", {"dns"})],
)
def test_only_the_module_of_the_command_is_imported(arguments: str, imported: set[str]) -> None:
    code = (
        "import atexit, sys; atexit.register(lambda: print('modules', *sys.modules)); import stackctl.__main__ as m; "
    )
    argv = [sys.executable, "-c", f"{code}m.main()", *arguments.split()]
    told = subprocess.run(argv, capture_output=True, text=True, check=False).stdout.splitlines()[-1].split()
    assert "stackctl.cli.main" in told
    assert {name.rpartition(".")[2] for name in told if name.startswith("stackctl.cli.commands.")} == imported


@pytest.mark.parametrize("arguments", [["nonsense"], ["up", "--nonsense"], ["add-app"], ["up", "--wait", "-1"]])
def test_a_wrong_usage_ends_with_2(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_importing_the_command_line_imports_nothing_slow() -> None:
    code = f"import sys, stackctl.cli.main; print([name for name in {SLOW} if name in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed == "[]\n"


def test_help_imports_nothing_slow() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "stackctl", "add-app", "--help"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    imported = {line.rpartition("|")[2].strip() for line in told.splitlines()}
    assert "typer" in imported
    assert imported.isdisjoint(SLOW)


def test_add_app_as_json(cli: Cli) -> None:
    code, printed = cli.json("add-app", "two.example.com")
    assert code == 0
    assert set(printed) >= KEYS
    assert (printed["command"], printed["ok"], printed["changed"], printed["dry_run"]) == ("add-app", True, True, False)
    assert printed["errors"] == []
    assert [set(operation) for operation in printed["operations"]] == [
        {"kind", "text", "cause", "scope", "status"} for _ in printed["operations"]
    ]
    assert {operation["status"] for operation in printed["operations"]} == {"done"}
    assert "two.example.com: issued" in printed["notes"]


@pytest.mark.parametrize("command", ["init", "up"])
def test_nothing_to_do_as_json(cli: Cli, command: str) -> None:
    code, printed = cli.json(command)
    assert (code, printed["ok"], printed["changed"], printed["operations"]) == (0, True, False, [])


def test_init_as_json(bare: Cli) -> None:
    code, printed = bare.json("init", "--email", "ops@example.com", "--agree-tos")
    assert code == 0
    assert set(printed) >= KEYS
    assert printed["changed"] is True


def test_a_dry_run_as_json(cli: Cli) -> None:
    before = cli.world.tree()
    code, printed = cli.json("add-app", "two.example.com", "--dry-run")
    assert (code, printed["dry_run"], printed["changed"]) == (0, True, False)
    assert {operation["status"] for operation in printed["operations"]} == {"planned"}
    assert cli.world.tree() == before


def test_a_failure_in_the_middle_as_json(cli: Cli) -> None:
    cli.world.fake.faults.exits.add("two")
    code, printed = cli.json("add-app", "two.example.com")
    assert (code, printed["ok"], printed["changed"]) == (4, False, True)
    assert set(printed) >= KEYS
    assert [error["code"] for error in printed["errors"]] == [4]
    assert {operation["status"] for operation in printed["operations"]} == {"done", "failed", "skipped"}


def test_status_as_json(cli: Cli) -> None:
    code, printed = cli.json("status")
    assert code == 0
    assert set(printed) >= KEYS | {"project", "proxy", "apps"}
    assert (printed["project"], printed["proxy"]) == ("stack", "running")
    (row,) = printed["apps"]
    assert set(row) >= {
        "app",
        "aliases",
        "upstream",
        "health",
        "issuer",
        "not_after",
        "days_left",
        "certificate_problem",
        "served",
    }


def test_renew_as_json(cli: Cli) -> None:
    code, printed = cli.json("renew", "--force", "one.example.com")
    assert code == 0
    assert set(printed) >= KEYS | {"apps"}
    assert [set(row) >= {"app", "days_left", "status", "reason"} for row in printed["apps"]] == [True]


def test_down_as_json(cli: Cli) -> None:
    code, printed = cli.json("down")
    assert (code, printed["stopped"]) == (0, ["certbot", "nginx", "one"])


def test_remove_app_as_json(cli: Cli) -> None:
    code, printed = cli.json("remove-app", "one.example.com", "--delete-cert", "--yes")
    assert (code, printed["ok"], printed["changed"]) == (0, True, True)


def test_every_command_prints_one_object(cli: Cli) -> None:
    for arguments in (["status"], ["up"], ["renew"], ["remove-app", "one.example.com"], ["down"]):
        command, *rest = arguments
        printed = cli(command, "--output", "json", *rest).stdout
        assert isinstance(json.loads(printed), dict)


def test_what_the_user_reads_of_add_app(cli: Cli) -> None:
    result = cli("add-app", "two.example.com")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert "✓ write docker-compose.yml" in lines
    assert lines[-2:] == [
        "✓ verify that two.example.com is served with its real certificate",
        "✓ write data/watch/settings.json",
    ]
    assert "nothing to do" in cli("add-app", "two.example.com").stdout


def test_what_the_user_reads_of_a_dry_run(cli: Cli) -> None:
    lines = cli("add-app", "two.example.com", "--dry-run").stdout.splitlines()
    assert lines[0] == "would write docker-compose.yml  (the stack changes)"
    assert lines[1] == "    docker-compose.yml"
    assert "      +  two:" in lines
    assert "    nginx/sites/two.example.com.conf (new)" in lines
    assert all(line.startswith(("would ", "    ", "summary: ")) for line in lines)
    assert lines[-1] == (
        "summary: 15 operations, 3 files changed, 1 certificate to issue (two.example.com), "
        "1 service started (two), the proxy reloaded 2 times"
    )


def test_a_plan_is_one_line_where_there_is_nothing_to_do(cli: Cli) -> None:
    for arguments in ([], ["--check"]):
        result = cli("plan", *arguments)
        assert (result.exit_code, result.stdout) == (0, "nothing to do: the stack is up to date\n")
    code, printed = cli.json("plan", "--check")
    assert (code, printed["ok"], printed["operations"], printed["diffs"]) == (0, True, [], [])


def test_a_plan_shows_how_each_file_changes(cli: Cli) -> None:
    cli.world.edit("port: 8000\n", "port: 8000\n      body-size: 1m\n")
    cli.world.custom("elsewhere.example.com.conf", "# of no site\n")
    cli.world.custom("one.example.com.conf", "add_header X-One \x1b[31mred;\n")
    before = cli.world.tree()
    result = cli("plan")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[:2] == ["edited since the last change:", "    docker-compose.yml"]
    assert "      +      body-size: 1m" in lines[2:10]
    at = lines.index("    nginx/sites/one.example.com.conf")
    assert lines[at + 1].startswith("      @@ -")
    assert any(line.startswith("      +") and "client_max_body_size 1m;" in line for line in lines)
    assert "    nginx/custom/one.example.com.conf (new)" in lines
    assert "      +add_header X-One \\x1b[31mred;" in lines
    assert not [line for line in lines if "elsewhere.example.com.conf" in line]
    assert lines[-1].startswith("summary: ")
    assert "the proxy reloaded 1 time" in lines[-1]
    assert cli("plan", "--check").exit_code == 10
    assert cli.world.tree() == before


def test_a_plan_as_json_is_what_up_then_does(cli: Cli) -> None:
    cli.world.add("two.example.com", issue=False)
    cli.world.edit("x-stackctl:\n  email", "x-stackctl:\n  tls: modern\n  email")
    code, shown = cli.json("plan", "--check")
    assert (code, shown["command"], shown["ok"], shown["changed"], shown["dry_run"]) == (10, "plan", True, False, True)
    edited, *diffs = shown["diffs"]
    assert (edited["operation"], edited["path"], edited["status"]) == (None, "docker-compose.yml", "changed")
    assert "+  tls: modern" in edited["diff"]
    for diff in diffs:
        assert set(diff) == {"operation", "path", "status", "diff"}
        assert shown["operations"][diff["operation"]]["kind"] == "StageFiles"
    paths = [diff["path"] for diff in diffs]
    assert paths == [
        "nginx/snippets/tls.conf",
        "nginx/sites/two.example.com.conf",
        "nginx/sites/two.example.com.redirect",
    ]
    code, then = cli.json("up")
    assert code == 0
    assert [{**one, "status": "planned"} for one in then["operations"]] == shown["operations"]
    assert "diffs" not in then


def test_a_plan_shows_no_ca_bundle(bare: Cli, tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_bytes(FakeCa().issue(["ca.example.com"], bare.world.clock.now)[0])
    shown = bare("init", "--ca-bundle", str(bundle), "--ca", "https://ca.example.com/dir", "--dry-run").stdout
    assert "would copy the CA bundle to data/ca" in shown
    assert "    docker-compose.yml (new)" in shown
    assert "CERTIFICATE" not in shown


def test_history_and_rollback_as_the_user_reads_them(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["stackctl", "add-app", "two.example.com", "--service", "my two"])
    assert cli("add-app", "two.example.com", "--service", "two").exit_code == 0
    monkeypatch.setattr(sys, "argv", ["stackctl", "rollback"])
    lines = cli("history").stdout.splitlines()
    assert lines[0].split("  ")[0] == "NUMBER"
    assert lines[3] == (
        "3       2026-08-01 12:00 UTC  stackctl add-app two.example.com --service 'my two'  docker-compose.yml +12 -0"
    )
    shown = cli("rollback", "--dry-run").stdout.splitlines()
    assert shown[0].startswith("· rolling back to entry 2 of 2026-08-01 12:00 UTC: ")
    assert "would stop and remove service two  (the Compose file no longer has this service)" in shown
    assert shown[-1].startswith("summary: ")
    done = cli("rollback").stdout.splitlines()
    assert "✓ write docker-compose.yml" in done
    assert done[-1].startswith("· rolling back to entry 2")
    assert cli("history").stdout.splitlines()[4] == (
        "4       2026-08-01 12:00 UTC  stackctl rollback                                    docker-compose.yml +0 -12"
    )
    assert cli("rollback", "2").stdout.splitlines()[-1] == "nothing to do: the stack is up to date"


def test_a_plan_without_a_readable_history_is_a_plan_all_the_same(cli: Cli) -> None:
    cli.world.edit("port: 8000\n", "port: 8000\n      body-size: 1m\n")
    (cli.world.root / ".stackctl/history").rename(cli.world.root / ".stackctl/elsewhere")
    lines = cli("plan").stdout.splitlines()
    assert lines[0].startswith("would stage sites/one.example.com.conf")


def test_a_long_command_is_shortened_in_the_table(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["stackctl", "add-app", "two.example.com", *["--alias=x"] * 20])
    assert cli("add-app", "two.example.com").exit_code == 0
    row = cli("history").stdout.splitlines()[3]
    command = row.split("  docker-compose.yml")[0].split(" UTC  ")[1]
    assert command.startswith("stackctl add-app two.example.com --alias=x")
    assert command.endswith(" --alias=x …")
    assert 50 < len(command) <= 60


def test_history_and_rollback_as_json(cli: Cli) -> None:
    code, printed = cli.json("history")
    assert (code, [entry["number"] for entry in printed["entries"]]) == (0, [1, 2])
    assert list(printed["entries"][0]) == [
        *("number", "at", "command", "kind", "files", "changes", "generation", "lineages")
    ]
    code, printed = cli.json("rollback")
    assert (code, printed["changed"], printed["entry"]) == (0, True, 1)
    assert cli.refused(2, "rollback", "9")["message"] == "the history has no entry 9: it has 1, 2, 3"


def test_what_the_user_reads_of_status(cli: Cli) -> None:
    text = cli("status").stdout
    assert "project stack, proxy running" in text
    for part in ("one.example.com", "www.example.com", "one:8000", "running", "Fake CA", "2026-10-30", "90", "real"):
        assert part in text


def test_logs(cli: Cli) -> None:
    assert "one-1  | one says hello" in cli("logs").stdout
    lines = cli("logs", "www.example.com").stdout.splitlines()
    assert lines == ["one-1  | one says hello"]
    assert cli("logs", "none.example.com").exit_code == 2


def test_logs_leave_out_what_the_proxy_says_of_signals(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        "nginx-1  | 2026/11/22 01:00:01 [notice] 1#1: signal 29 (SIGIO) received",
        'nginx-1  | 10.9.0.1 - - www.example.com "GET /" 200',
        "one-1    | 2026/11/22 01:00:01 [notice] 1#1: signal 29 (SIGIO) received",
    ]
    monkeypatch.setattr(type(cli.world.fake), "follow", lambda *_, **__: iter(lines))
    assert cli("logs").stdout.splitlines() == lines[1:]
    assert cli("logs", "www.example.com").stdout.splitlines() == lines[1:]


@pytest.mark.parametrize(("more", "code"), [(["--follow"], 0), ([], 130)])
def test_an_interruption_is_the_usual_end_of_following(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, more: list[str], code: int
) -> None:
    def lines() -> Iterator[str]:
        yield "one-1  | one says hello"
        raise KeyboardInterrupt

    monkeypatch.setattr(type(cli.world.fake), "follow", lambda *_, **__: lines())
    result = cli("logs", *more)
    assert (result.exit_code, result.stdout) == (code, "one-1  | one says hello\n")
    assert bool(result.stderr) == bool(code)


def test_every_failure_is_reported_and_the_first_one_is_the_exit_code(cli: Cli) -> None:
    cli.world.custom("one.example.com.conf", "not_a_directive on;\n")
    cli.world.fake.faults.issue["two.example.com"] = "dns"
    cli.world.add("two.example.com", issue=False)
    result = cli("up")
    assert result.exit_code == 6
    assert result.stderr.count("error: ") == 2
    assert "nginx/custom/one.example.com.conf:1" in result.stderr
    assert "(dns)" in result.stderr


def test_backup_and_restore_as_json(cli: Cli, tmp_path: Path) -> None:
    archive = str(tmp_path / "x.tar.gz")
    code, made = cli.json("backup", archive)
    assert (code, made["ok"], made["changed"], made["operations"]) == (0, True, True, [])
    both = {"archive", "digest", "encrypted", "project", "files", "certificates", "stored", "secrets"}
    assert set(made) == KEYS | both | {"size", "left_out"}
    assert (made["archive"], made["size"]) == (archive, (tmp_path / "x.tar.gz").stat().st_size)
    code, told = cli.json("restore", archive, "--dry-run")
    assert (code, told["changed"], told["digest"]) == (0, False, made["digest"])
    assert set(told) == KEYS | both | {"made", "replaced", "aside", "diffs"}


def test_what_the_user_reads_of_a_backup(cli: Cli, tmp_path: Path) -> None:
    archive = tmp_path / "x.tar.gz"
    printed = cli("backup", str(archive)).stdout
    assert f"wrote {archive}: project stack, " in printed
    assert ", 1 certificate, " in printed
    assert "not in the archive, back up separately: the apps' images" in printed
    assert "unencrypted private keys" in printed
    assert "is intact: project stack" in cli("restore", str(archive), "--dry-run").stdout
    cli.world.custom("http.conf", "# new\n")
    assert (
        "with --force, these would be moved aside: .dockerignore, .gitignore, .stackctl/history, data/ca, data/"
        in cli("restore", str(archive), "--dry-run").stdout
    )
    restored = cli("restore", str(archive), "--force")
    assert restored.exit_code == 0
    assert "✓ start the proxy" in restored.stdout
    assert "the previous files are in replaced-2026" in restored.stdout
    assert f"restored {archive}: project stack, " in restored.stdout


def test_a_backup_to_standard_output_is_nothing_else(cli: Cli, tmp_path: Path) -> None:
    piped = cli("backup", "-")
    assert piped.exit_code == 0
    (tmp_path / "x.tar.gz").write_bytes(piped.stdout_bytes)
    assert "wrote standard output" in piped.stderr
    assert "is intact" in cli("restore", str(tmp_path / "x.tar.gz"), "--dry-run").stdout


@pytest.mark.usefixtures("_quick_passphrase")
def test_a_passphrase_is_requested_and_never_shown(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive, file = tmp_path / "x.age", tmp_path / "secret"
    file.write_text("correct horse\nsecond line\n")
    assert cli("backup", str(archive), "--passphrase-file", str(file)).exit_code == 0
    asked: list[dict[str, Any]] = []

    def prompt(_text: str, **options: Any) -> str:
        asked.append(options)
        return "correct horse"

    monkeypatch.setattr("typer.prompt", prompt)
    monkeypatch.setattr("stackctl.cli.terminal.has_terminal", lambda: True)
    result = cli("restore", str(archive), "--dry-run")
    assert (result.exit_code, "horse" in result.output) == (0, False)
    printed = cli("backup", str(archive), "--force", "--passphrase")
    assert (printed.exit_code, "private keys" in printed.stdout, "horse" in printed.output) == (0, False, False)
    assert cli("restore", str(archive), "--dry-run", "--passphrase-file", str(file)).exit_code == 0
    assert [options["hide_input"] for options in asked] == [True, True]
    assert [options.get("confirmation_prompt", False) for options in asked] == [False, True]


def test_doctor_as_text_names_the_first_thing_to_do(cli: Cli) -> None:
    result = cli("doctor")
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "no problems found")
    cli.world.network.records["www.example.com", "A"] = Lookup(Answer.NO_NAME)
    result = cli("doctor")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert [line.split()[:3] for line in lines if line.startswith("  ✗")] == [["✗", "dns", "www.example.com:"]]
    assert lines[lines.index("what to do first:") + 1].startswith("  www.example.com: create an A record")


def test_doctor_as_json(cli: Cli) -> None:
    code, printed = cli.json("doctor", "one.example.com")
    assert (code, printed["ok"], printed["first"], printed["changed"]) == (0, True, None, False)
    assert [section["title"] for section in printed["sections"]] == [
        "host",
        "one.example.com",
        "certbot",
        "apps",
        "certificates",
    ]


@pytest.mark.parametrize("text", ["nonsense", "1.2.3.4:port", "9.9.9.9:0", "dns.example.com", "[::1", "9.9.9.9%eth0"])
def test_a_resolver_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_resolver(text)
    assert refused.value.where == "STACKCTL_RESOLVER"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("9.9.9.9", ("9.9.9.9", 53)),
        ("127.0.0.1:8053", ("127.0.0.1", 8053)),
        ("2620:fe::fe", ("2620:fe::fe", 53)),
        ("[2620:fe::fe]:5353", ("2620:fe::fe", 5353)),
        ("fe80::1%eth0", ("fe80::1%eth0", 53)),
        ("[fe80::1%eth0]:5353", ("fe80::1%eth0", 5353)),
    ],
)
def test_a_resolver_is_an_address_with_or_without_a_port(text: str, meant: tuple[str, int]) -> None:
    assert parse_resolver(text) == meant


def test_a_difference_is_printed_as_it_is_however_narrow_the_terminal() -> None:
    diff = FileDiff("nginx/custom/one.example.com.conf", "changed", ("@@ -1 +1 @@", f"-{'a' * 90}", "+[bold]b[/]"))
    plan = Plan((Publish(cause="the proxy's files change"),))
    for terminal in (False, True):
        console = Console(file=StringIO(), width=30, force_terminal=terminal)
        show_plan(console, Result("up", None, plan, dry_run=True, diffs=((diff,),)))
        assert isinstance(console.file, StringIO)
        printed = console.file.getvalue()
        assert ("\x1b[31m" in printed) is terminal
        lines = re.sub("\x1b\\[[0-9;]*m", "", printed).splitlines()
        start = lines.index("    nginx/custom/one.example.com.conf")
        assert lines[start : start + 4] == [
            "    nginx/custom/one.example.com.conf",
            "      @@ -1 +1 @@",
            f"      -{'a' * 90}",
            "      +[bold]b[/]",
        ]
