"""``user``: a group of commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from stackctl.cli.options import (
    HERE,
    WAIT_SECONDS,
    Directory,
    DryRun,
    Output,
    OutputFormat,
    Site,
    Verbose,
    Wait,
    checked,
)
from stackctl.errors import InputError
from stackctl.model import values

if TYPE_CHECKING:
    from stackctl.engine.context import Context
    from stackctl.usecases.result import Result
    from stackctl.usecases.users import UsersReport

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the user.")]


def add(
    domain: Site,
    name: Name,
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    dry_run: DryRun = False,
    verbose: Verbose = False,
    wait: Wait = WAIT_SECONDS,
) -> None:
    """Set the password of a user of a site: from the terminal, or the first line of standard input."""
    from stackctl.cli.run import Common, run
    from stackctl.model.users import user_name
    from stackctl.usecases import users as usecase

    def action(context: Context) -> Result[None]:
        site, user = values.site_domain(domain), checked("NAME", user_name, name)
        usecase.list_users(context, site)  # what is wrong is said before a password is typed
        return usecase.add_user(context, site, user, _password(user), dry_run=dry_run)

    run(Common("user add", directory, output, verbose, None if dry_run else wait), action)


def remove(
    domain: Site,
    name: Name,
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    dry_run: DryRun = False,
    verbose: Verbose = False,
    wait: Wait = WAIT_SECONDS,
) -> None:
    """Remove a user of a site; connections that are open stay."""
    from stackctl.cli.run import Common, run
    from stackctl.usecases import users as usecase

    def action(context: Context) -> Result[None]:
        return usecase.remove_user(context, values.site_domain(domain), name, dry_run=dry_run)

    run(Common("user remove", directory, output, verbose, None if dry_run else wait), action)


def list_(
    domain: Site, directory: Directory = HERE, output: Output = OutputFormat.TEXT, verbose: Verbose = False
) -> None:
    """List the users of a site, with the file that they are in."""
    from stackctl.cli.run import Common, run
    from stackctl.cli.views.user import show
    from stackctl.usecases import users as usecase

    def action(context: Context) -> Result[UsersReport]:
        return usecase.list_users(context, values.site_domain(domain))

    run(Common("user list", directory, output, verbose), action, show)


def _password(name: str) -> str:
    """Return the new password: never from an argument, which other users of the host see."""
    from stackctl.cli import terminal
    from stackctl.model.users import password

    if terminal.has_terminal():
        text = typer.prompt(f"Password of {name}", hide_input=True, confirmation_prompt=True, err=True)
        return password(str(text))
    try:
        line = terminal.first_line().decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError("the password on standard input is not UTF-8") from error
    if not line:
        raise InputError("the first line of standard input is empty", hint="write the password there")
    return password(line)
