"""``alerts``: a group of commands."""

from __future__ import annotations

from stackctl.cli.options import HERE, WAIT_SECONDS, Directory, Output, OutputFormat, Verbose, Wait


def try_receivers(directory: Directory = HERE, output: Output = OutputFormat.TEXT, verbose: Verbose = False) -> None:
    """Send each receiver of alerts a message, and show who took it."""
    from stackctl.cli.run import Common, run
    from stackctl.cli.views.alerts import show
    from stackctl.usecases import alerts as usecase

    run(Common("alerts test", directory, output, verbose), usecase.try_receivers, show)


def send(
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    verbose: Verbose = False,
    wait: Wait = WAIT_SECONDS,
) -> None:
    """Send what is new to the receivers that only Apprise reaches, for cron."""
    from stackctl.cli.run import Common, run
    from stackctl.cli.views.alerts import show
    from stackctl.usecases import alerts as usecase

    run(Common("alerts send", directory, output, verbose, wait), usecase.send, show)
