"""``edit``."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import typer

from stackctl.cli.options import HERE, WAIT_SECONDS, Directory, NoIssue, OutputFormat, Verbose, Wait, Yes
from stackctl.errors import InputError, StackfileError

if TYPE_CHECKING:
    from stackctl.adapters.editor import Draft
    from stackctl.engine.context import Context
    from stackctl.usecases.edit import EditReport
    from stackctl.usecases.result import Result


def edit(
    yes: Yes = False,
    no_issue: NoIssue = False,
    directory: Directory = HERE,
    verbose: Verbose = False,
    wait: Wait = WAIT_SECONDS,
) -> None:
    """Edit the Compose file, review the plan and confirm it. Errors are reported before anything is written."""
    from stackctl.adapters.editor import Draft
    from stackctl.cli.run import Common, run
    from stackctl.usecases import edit as usecase

    def check() -> None:
        if not yes and not _can_ask():
            raise InputError(
                "no terminal to ask for confirmation",
                where="--yes",
                hint="pass --yes to apply the edit without confirmation",
            )

    def action(context: Context) -> Result[EditReport]:
        before = usecase.text_to_edit(context)
        draft = Draft(context.directory.files.main, before)
        keeps = True
        try:
            result, keeps = _session(context, draft, before, yes=yes, issue=not no_issue, wait=wait)
        finally:
            if keeps and draft.is_edited:
                context.report.note(f"your edit is saved in {draft.path}")
            else:
                draft.remove()
        return result

    run(Common("edit", directory, OutputFormat.TEXT, verbose), action, check=check)


def _session(
    context: Context, draft: Draft, before: str, *, yes: bool, issue: bool, wait: float
) -> tuple[Result[EditReport], bool]:
    """Edit until the file is valid or discarded, then apply it; return also whether the draft is the only copy."""
    from stackctl.cli.console import make_console
    from stackctl.cli.show import show_error
    from stackctl.cli.views.plan import show_plan
    from stackctl.usecases import edit as usecase
    from stackctl.usecases.result import Result
    from stackctl.usecases.session import exclusive

    def ended(note: str) -> tuple[Result[EditReport], bool]:
        return Result("edit", usecase.EditReport(edited=False), notes=(note,)), False

    while True:
        try:
            text = draft.edit(os.environ)
            if text == before:
                return ended("the file was not edited: nothing was changed")
            planned = usecase.plan_edit(context, text, issue=issue)
        except StackfileError as error:
            if not _can_ask():
                raise
            show_error(make_console(stderr=True), error)
            if _answer("[e]dit again or [d]iscard?", "ed") == "e":
                continue
            return ended("the edit was discarded: nothing was changed")
        show_plan(make_console(), planned)
        answer = "y" if yes else _answer("Apply this plan? [y]es, [e]dit again or [n]o", "yen")
        if answer == "n":
            return ended("nothing was changed")
        if answer == "y":
            with exclusive(context, wait):
                result = usecase.apply_edit(context, before, text, issue=issue)
            return result, context.directory.stackfile() != text


def _can_ask() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _answer(question: str, letters: str) -> str:
    """Prompt until the answer is one of ``letters``, and return it."""
    while True:
        letter = str(typer.prompt(question, prompt_suffix=" ")).strip()[:1].lower()
        if letter and letter in letters:
            return letter
