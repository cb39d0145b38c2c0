"""``edit``, ``schema`` and ``config``."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stackctl.cli.commands import edit
from stackctl.cli.main import app
from stackctl.proxies.registry import PROXIES
from stackctl.stackfile.json_schema import editor_schema
from tests.cli.conftest import Cli
from tests.usecases.world import done

TYPES = """
import sys
from pathlib import Path
turns, copy = Path(sys.argv[1]), Path(sys.argv[2])
old, new = (part.encode().decode("unicode_escape") for part in turns.read_text().splitlines()[0].split(" => "))
turns.write_text("".join(turns.read_text().splitlines(keepends=True)[1:]))
text = copy.read_text()
assert text.count(old) >= 1, (old, text)
copy.write_text(text.replace(old, new, 1))
"""
"""An editor that makes one replacement each time it is opened."""

BIGGER = "port: 8000\\n => port: 8000\\n      body-size: 1m\\n"
WRONG = "port: 8000\\n => port: 99999\\n"
RIGHT = "port: 99999\\n => port: 8000\\n      body-size: 1m\\n"
Typing = Callable[..., None]


@pytest.fixture
def types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Typing:
    """Makes the editor type each of the turns given to it."""
    script, turns = tmp_path / "editor.py", tmp_path / "turns"
    script.write_text(TYPES)

    def use(*replacements: str) -> None:
        turns.write_text("".join(f"{one}\n" for one in replacements))
        monkeypatch.setenv("VISUAL", shlex.join([sys.executable, str(script), str(turns)]))

    return use


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """The user at a terminal who answers each question with the next letter; returns what is left to say."""

    def use(letters: str) -> list[str]:
        left = list(letters)
        monkeypatch.setattr(edit, "_can_ask", lambda: True)
        monkeypatch.setattr(edit, "_answer", lambda _question, _letters: left.pop(0))
        return left

    return use


def drafts(cli: Cli) -> list[Path]:
    return list(cli.world.root.glob(".docker-compose.*"))


def test_an_edit_is_planned_and_done(cli: Cli, types: Typing, answers: Callable[[str], list[str]]) -> None:
    types(BIGGER)
    left = answers("y")
    result = cli("edit")
    assert result.exit_code == 0, result.stdout
    assert left == []
    assert "      +      body-size: 1m" in result.stdout
    assert "would reload the proxy  (its files changed)" in result.stdout
    assert "✓ reload the proxy" in result.stdout
    assert "body-size: 1m" in cli.world.text
    assert b"client_max_body_size 1m;" in cli.world.live()["sites/one.example.com.conf"]
    assert drafts(cli) == []
    assert len(cli.world.host.directory.history.entries()) == 3


def test_nothing_is_changed_without_a_yes(cli: Cli, types: Typing, answers: Callable[[str], list[str]]) -> None:
    types(BIGGER)
    answers("n")
    before = cli.world.tree()
    result = cli("edit")
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "· nothing was changed")
    assert cli.world.tree() == before


def test_an_edit_can_be_edited_again(cli: Cli, types: Typing, answers: Callable[[str], list[str]]) -> None:
    types(BIGGER, "body-size: 1m => body-size: 2m")
    answers("ey")
    assert cli("edit").exit_code == 0
    assert "body-size: 2m" in cli.world.text


def test_what_is_wrong_is_named_by_line_and_edited_again(
    cli: Cli, types: Typing, answers: Callable[[str], list[str]]
) -> None:
    types(WRONG, RIGHT)
    answers("ey")
    line = cli.world.line_of("port: 8000")
    result = cli("edit")
    assert result.exit_code == 0
    assert f"error: {line}: " in result.stderr
    assert "body-size: 1m" in cli.world.text


def test_what_is_wrong_can_be_discarded(cli: Cli, types: Typing, answers: Callable[[str], list[str]]) -> None:
    types(WRONG)
    answers("d")
    before = cli.world.tree()
    result = cli("edit")
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "· the edit was discarded: nothing was changed")
    assert cli.world.tree() == before


def test_a_file_that_is_broken_already_can_be_mended(cli: Cli, types: Typing) -> None:
    cli.world.edit("services:\n", "services: [\n")
    types("services: [ => services:")
    assert cli("edit", "--yes").exit_code == 0
    assert "services: [" not in cli.world.text


def test_unasked_with_yes(cli: Cli, types: Typing) -> None:
    types(BIGGER)
    assert cli("edit", "--yes").exit_code == 0
    assert "body-size: 1m" in cli.world.text


def test_nobody_to_ask(cli: Cli, types: Typing) -> None:
    types(BIGGER)
    before = cli.world.tree()
    result = cli("edit")
    assert result.exit_code == 2
    assert "--yes: no terminal to ask for confirmation" in result.stderr
    assert cli.world.tree() == before


def test_an_editor_that_changes_nothing(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", "true")
    before = cli.world.tree()
    result = cli("edit", "--yes")
    assert (result.exit_code, result.stdout) == (0, "· the file was not edited: nothing was changed\n")
    assert cli.world.tree() == before


@pytest.mark.parametrize(
    ("editor", "code", "said"),
    [
        ("/nowhere/editor", 2, "the editor '/nowhere/editor' cannot be started"),
        ("'unbalanced", 2, "cannot be started"),
        ("false", 5, "the editor 'false' ended with 1"),
    ],
)
def test_an_editor_that_does_not_work(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, editor: str, code: int, said: str
) -> None:
    monkeypatch.setenv("VISUAL", editor)
    before = cli.world.tree()
    result = cli("edit", "--yes")
    assert result.exit_code == code
    assert said in result.stderr
    assert cli.world.tree() == before


def test_an_editor_that_leaves_a_directory(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "editor.sh"
    script.write_text('rm "$1"; mkdir "$1"\n')
    monkeypatch.setenv("VISUAL", f"sh {script}")
    text = cli.world.text
    result = cli("edit", "--yes")
    assert (result.exit_code, cli.world.text) == (5, text)
    assert "Is a directory" in result.stderr


def test_what_was_typed_is_kept_where_it_could_not_be_used(cli: Cli, types: Typing) -> None:
    types(WRONG)
    text = cli.world.text
    result = cli("edit", "--yes")
    assert result.exit_code == 3
    assert cli.world.text == text
    (draft,) = drafts(cli)
    assert f"your edit is saved in {draft}" in result.stdout
    assert "port: 99999" in draft.read_text()
    assert draft.stat().st_mode & 0o777 == 0o600


def test_a_file_that_changed_meanwhile_is_not_overwritten(
    cli: Cli, types: Typing, monkeypatch: pytest.MonkeyPatch
) -> None:
    types(BIGGER)

    def somebody(_question: str, _letters: str) -> str:
        cli.world.file.write_text(f"# somebody's\n{cli.world.text}")
        return "y"

    monkeypatch.setattr(edit, "_can_ask", lambda: True)
    monkeypatch.setattr(edit, "_answer", somebody)
    result = cli("edit")
    assert result.exit_code == 5
    assert "modified by another program during the edit" in result.stderr
    assert cli.world.text.startswith("# somebody's\n")
    assert "body-size: 1m" not in cli.world.text
    (draft,) = drafts(cli)
    assert "body-size: 1m" in draft.read_text()


def test_an_edit_that_nginx_refuses_ends_as_up_would(cli: Cli, types: Typing) -> None:
    cli.world.custom("one.example.com.conf", "not_a_directive on;\n")
    types(BIGGER)
    result = cli("edit", "--yes")
    assert result.exit_code == 6
    assert "body-size: 1m" in cli.world.text
    assert drafts(cli) == []


def test_no_stack_to_edit(bare: Cli, types: Typing) -> None:
    types(BIGGER)
    bare.world.root.mkdir(exist_ok=True)
    result = bare("edit", "--yes")
    assert result.exit_code == 2
    assert "there is no stack" in result.stderr


@pytest.mark.parametrize(("typed", "answered"), [(["x", "", "YES"], "y"), (["n"], "n")])
def test_a_question_is_asked_until_it_is_answered(
    typed: Sequence[str], answered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = list(typed)
    monkeypatch.setattr("typer.prompt", lambda *_arguments, **_named: left.pop(0))
    assert edit._answer("Do it?", "yn") == answered
    assert left == []


def test_the_schema_needs_no_stack() -> None:
    result = CliRunner().invoke(app, ["schema"])
    assert result.exit_code == 0
    assert json.loads(result.stdout) == editor_schema(PROXIES)


def test_a_new_compose_file_tells_editors_of_its_schema(bare: Cli) -> None:
    assert bare("init", "--agree-tos").exit_code == 0
    (comment,) = (line for line in bare.world.text.splitlines() if "yaml-language-server" in line)
    prefix, _, path = comment.partition("$schema=")
    assert prefix == "# yaml-language-server: "
    assert json.loads((bare.world.file.parent / path).read_text()) == editor_schema(PROXIES)
    schema = bare.world.root / ".stackctl/compose.schema.json"
    schema.write_text("{}")
    assert "✓ write .stackctl/compose.schema.json" in bare("init").stdout
    assert json.loads(schema.read_text()) == editor_schema(PROXIES)
    assert "nothing to do" in bare("init").stdout


def test_a_compose_file_elsewhere_points_to_it_too(bare: Cli) -> None:
    (bare.world.root / "deploy").mkdir(parents=True)
    (bare.world.root / ".env").write_text("COMPOSE_FILE=deploy/compose.yaml\n")
    assert bare("init", "--agree-tos", "--dry-run").exit_code == 0
    shown = bare("init", "--agree-tos", "--dry-run").stdout
    assert "+# yaml-language-server: $schema=../.stackctl/compose.schema.json" in shown


def test_config_prints_the_site_as_it_would_be(cli: Cli) -> None:
    live = cli.world.live()
    shown = cli("config", "www.example.com").stdout
    assert shown == (
        f"# nginx/sites/one.example.com.conf\n{live['sites/one.example.com.conf'].decode()}"
        f"# nginx/sites/one.example.com.redirect\n{live['sites/one.example.com.redirect'].decode()}"
    )


def test_config_says_where_it_is_not_live(cli: Cli) -> None:
    cli.world.edit("port: 8000\n", "port: 8000\n      body-size: 1m\n")
    cli.world.custom("one.example.com.conf", "add_header X-One 1;\n")
    before = cli.world.tree()
    lines = cli("config", "one.example.com").stdout.splitlines()
    assert lines[0].startswith("# This differs from the live files: see 'stackctl plan'")
    assert any("client_max_body_size 1m;" in line for line in lines)
    at = lines.index("# nginx/custom/one.example.com.conf")
    assert lines[at + 1] == "add_header X-One 1;"
    assert cli.world.tree() == before
    code, printed = cli.json("config", "one.example.com")
    assert (code, printed["app"], printed["live"]) == (0, "one.example.com", False)
    done(cli.world.up())
    assert cli.json("config", "one.example.com")[1]["live"] is True


def test_config_of_a_stranger(cli: Cli) -> None:
    assert cli.refused(2, "config", "two.example.com")["message"] == "two.example.com is not routed by this stack"
