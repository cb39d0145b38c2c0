"""``promote`` and ``abort``: how a canary ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackctl.cli.deploying import Drain, Name, SkipHealth, Timeout, deploy_options
from stackctl.cli.options import HERE, WAIT_SECONDS, Directory, DryRun, Output, OutputFormat, Verbose, Wait

if TYPE_CHECKING:
    from stackctl.engine.context import Context
    from stackctl.usecases.result import Result


def promote(
    name: Name,
    timeout: Timeout = None,
    drain: Drain = None,
    skip_health: SkipHealth = False,
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    dry_run: DryRun = False,
    verbose: Verbose = False,
    wait: Wait = WAIT_SECONDS,
) -> None:
    """Deploy the image of a canary to its service; the canary ends.

    If a new container does not get ready, the canary goes on as before.
    """
    from stackctl.cli.run import Common, run
    from stackctl.usecases import canary

    def action(context: Context) -> Result[None]:
        options = deploy_options(timeout, drain, skip_health=skip_health)
        return canary.promote(context, name, options, dry_run=dry_run)

    run(Common("promote", directory, output, verbose, None if dry_run else wait), action)


def abort(
    name: Name,
    drain: Drain = None,
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    dry_run: DryRun = False,
    verbose: Verbose = False,
    wait: Wait = WAIT_SECONDS,
) -> None:
    """End a canary: all clients get the service as it is."""
    from stackctl.cli.run import Common, run
    from stackctl.usecases import canary

    def action(context: Context) -> Result[None]:
        return canary.abort(context, name, deploy_options(None, drain), dry_run=dry_run)

    run(Common("abort", directory, output, verbose, None if dry_run else wait), action)
