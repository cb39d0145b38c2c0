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

from stackctl.adapters.docker.children import kill_all
from stackctl.cli import interruption
from stackctl.cli.console import SafeFormatter, make_console, print_json
from stackctl.cli.options import OutputFormat, naming_option
from stackctl.cli.report import SilentReport, TextReport
from stackctl.cli.show import View, show_error, show_text
from stackctl.engine.context import Context, Report
from stackctl.errors import ExitCode, HostError, Interrupted, StackctlError
from stackctl.usecases import session
from stackctl.usecases.as_json import failure_object, result_object
from stackctl.usecases.result import Result
from stackctl.wording import printable

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Common:
    """The common options of a command; ``wait`` is None for one that changes nothing.

    With ``takes_stdout`` standard output carries the command's data, and messages go to standard error.
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

    ``view`` shows the payload as text. ``check`` validates the options before the stack is opened.
    """
    _log_to_stderr(verbose=common.verbose)
    interruption.at_leave[:] = [kill_all]
    console, errors = make_console(stderr=common.takes_stdout), make_console(stderr=True)
    silent = common.output is OutputFormat.JSON
    report = SilentReport() if silent else TextReport(console, verbose=common.verbose)

    def execute() -> ExitCode:
        if check is not None:
            check()
        context = context_of(common, report)
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

    raise typer.Exit(guarded(execute, fail, verbose=common.verbose))


def guarded(
    action: Callable[[], ExitCode], fail: Callable[[StackctlError], ExitCode], *, verbose: bool = False
) -> ExitCode:
    """Run ``action`` and turn its errors into exit codes; show a traceback only if ``verbose``."""
    try:
        with interruption.raised():
            return action()
    except StackctlError as error:
        return fail(naming_option(error))
    except (KeyboardInterrupt, typer.Abort):  # a prompt raises the second
        interruption.ignore()
        return fail(Interrupted(interruption.MESSAGE, hint=interruption.HINT))
    except UnicodeEncodeError as error:
        text = f"a name or a value is not UTF-8 text: {error.object[:80]!r}"
        return fail(HostError(text, hint="rename the file or the directory, or correct the value"))
    except BrokenPipeError:
        # The reader closed the pipe; without this, Python prints another error at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.FAILED
    except Exception as error:  # noqa: BLE001  (the last handler: a bug is reported as one message)
        if verbose:
            sys.stderr.write(printable(traceback.format_exc()))
        hint = "run the command again with --verbose, and report its output; live sites are not affected"
        return fail(StackctlError(f"internal error: {type(error).__name__}: {error}", hint=hint))


def context_of(common: Common, report: Report) -> Context:
    """Return the context of the stack in ``common.directory``."""
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
