"""``logs``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from stackctl.cli.completion import domains
from stackctl.cli.options import HERE, Directory, Output, OutputFormat, Verbose, not_negative, whole_number
from stackctl.model import values

if TYPE_CHECKING:
    from stackctl.engine.context import Context
    from stackctl.usecases.logs import LogsReport, Query
    from stackctl.usecases.logs_top import TopReport
    from stackctl.usecases.result import Result


def logs(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[top] [DOMAIN]",
            autocompletion=domains,
            show_default=False,
            help="Show only the lines of this site; with 'top', what its requests have in common.",
        ),
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Lines of the last minutes, hours or days, such as 30m or 2d.")
    ] = None,
    status: Annotated[
        str | None, typer.Option(metavar="STATUS", help="Requests with this status: 404, 5xx, 400-499, or several.")
    ] = None,
    slow: Annotated[
        str | None, typer.Option(metavar="TIME", help="Requests that took this time or longer, such as 2s or 500ms.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Follow the output.")] = False,
    tail: Annotated[
        int | None,
        typer.Option(
            metavar="NUMBER",
            parser=whole_number,
            callback=lambda number: None if number is None else not_negative(number),
            help="Last lines to read of each service. [default: 100, or all with --since, --status, --slow or 'top']",
            show_default=False,
        ),
    ] = None,
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    verbose: Verbose = False,
) -> None:
    """Show the logs of the proxy, the apps and certbot."""
    from stackctl.cli.run import Common, run
    from stackctl.cli.views.logs import Printing, show_top
    from stackctl.usecases import logs as usecase
    from stackctl.usecases.logs_top import top
    from stackctl.usecases.result import Result

    words = list(what or ())
    asked = Asked(words, since, status, slow, follow, tail)

    def print_lines(context: Context) -> Result[LogsReport]:
        printing = Printing(as_objects=output is OutputFormat.JSON)
        printing.all(usecase.logs(context, asked.query()), follow=follow)
        return Result("logs", usecase.LogsReport(printing.printed))

    def count(context: Context) -> Result[TopReport]:
        return Result("logs", top(usecase.logs(context, asked.query())))

    if asked.is_top:
        run(Common("logs", directory, output, verbose), count, show_top)
    else:
        run(Common("logs", directory, OutputFormat.TEXT, verbose), print_lines)


@dataclass(frozen=True)
class Asked:
    """The arguments and options as they were typed."""

    words: list[str]
    since: str | None
    status: str | None
    slow: str | None
    follow: bool
    tail: int | None

    @property
    def is_top(self) -> bool:
        """Whether requests are counted, not printed."""
        return self.words[:1] == ["top"]

    def query(self) -> Query:
        """Return which lines are wanted."""
        from stackctl.errors import InputError
        from stackctl.usecases import logs as usecase

        names = self.words[1:] if self.is_top else self.words
        if len(names) > 1:
            raise InputError(f"{names[1]!r} is one domain too many", hint="name one site, or none for all")
        if self.is_top and self.follow:
            raise InputError("'logs top' counts what is there", field="follow", hint="leave it out")
        return usecase.Query(
            domain=values.site_domain(names[0]) if names else None,
            status=usecase.statuses(self.status) if self.status is not None else (),
            slower=usecase.time_of(self.slow, "slow") if self.slow is not None else None,
            since=max(1, int(usecase.time_of(self.since, "since"))) if self.since is not None else None,
            tail=self.tail,
            follow=self.follow,
            requests=self.is_top,
        )
