"""Runs one command: opens the stack, takes its lock, prints the result, turns errors into exit codes."""

from __future__ import annotations

import logging
import os
import shlex
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import typer

from stackctl.cli import interruption
from stackctl.cli.console import SafeFormatter, make_console, print_json, printable
from stackctl.cli.options import OutputFormat, named
from stackctl.cli.report import SilentReport, TextReport
from stackctl.cli.show import View, show_error, show_text
from stackctl.engine.context import Context, Report
from stackctl.errors import ExitCode, Interrupted, StackctlError
from stackctl.usecases import session
from stackctl.usecases.as_json import failure_object, result_object
from stackctl.usecases.result import Result

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Common:
    """The options every command has; ``wait`` is None for one that changes nothing.

    With ``takes_stdout`` the command's own output is not for a person, who then reads standard error.
    """

    command: str
    directory: Path
    output: OutputFormat
    verbose: bool
    wait: float | None = None
    makes_directory: bool = False
    takes_stdout: bool = False


def run(
    common: Common,
    action: Callable[[Context], Result[P]],
    view: View[P] | None = None,
    check: Callable[[], object] | None = None,
) -> None:
    """Run ``action`` on the stack in ``common.directory`` and exit with its code.

    ``view`` shows its payload as text. ``check`` comes before anything is touched; it raises what is wrong with
    the options.
    """
    _log_to_stderr(verbose=common.verbose)
    console, errors = make_console(stderr=common.takes_stdout), make_console(stderr=True)
    silent = common.output is OutputFormat.JSON
    report = SilentReport() if silent else TextReport(console, verbose=common.verbose)

    def carry_out() -> ExitCode:
        if check is not None:
            check()
        context = host_of(common, report)
        if common.wait is None:
            result = action(context)
        else:
            with session.exclusive(context, common.wait, create=common.makes_directory):
                result = action(context)
        report.close()
        if silent:
            print_json(result_object(result, report.notes))
        else:
            show_text(console, errors, result, view)
        return result.code

    def fail(error: StackctlError) -> ExitCode:
        report.close()
        if silent:
            print_json(failure_object(common.command, error, report.notes))
        else:
            show_error(errors, error)
        return error.code

    raise typer.Exit(guarded(carry_out, fail, verbose=common.verbose))


def guarded(
    action: Callable[[], ExitCode], fail: Callable[[StackctlError], ExitCode], *, verbose: bool = False
) -> ExitCode:
    """The one place where errors become exit codes; no traceback reaches a person who did not ask."""
    try:
        with interruption.raised():
            return action()
    except StackctlError as error:
        return fail(named(error))
    except (KeyboardInterrupt, typer.Abort):  # a prompt raises the second
        interruption.ignore()
        return fail(Interrupted(interruption.MESSAGE, hint=interruption.HINT))
    except BrokenPipeError:
        # Whoever read the output has gone; without this Python complains once more while it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.FAILED
    except Exception as error:  # noqa: BLE001  (the last net: a bug is told as one message)
        if verbose:
            sys.stderr.write(printable(traceback.format_exc()))
        hint = "run it again with --verbose and report what it prints; what is live was not touched"
        return fail(StackctlError(f"a fault in stackctl itself: {type(error).__name__}: {error}", hint=hint))


def host_of(common: Common, report: Report) -> Context:
    """The stack in ``common.directory`` as it is at this moment."""
    return session.open_stack(
        common.directory,
        report=report,
        environ=os.environ,
        command=shlex.join([session.PROGRAM, *sys.argv[1:]]),
        clock=session.now,
        create=common.makes_directory and common.wait is not None,
    )


def _log_to_stderr(*, verbose: bool) -> None:
    logger = logging.getLogger("stackctl")
    logger.setLevel(logging.DEBUG if verbose else logging.WARNING)
    if verbose and not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(SafeFormatter("$ %(message)s"))
        logger.addHandler(handler)
