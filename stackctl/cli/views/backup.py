"""``backup`` and ``restore`` as text."""

from __future__ import annotations

from rich.console import Console

from stackctl.cli.console import plain
from stackctl.usecases.result import Result


def show_backup(console: Console, result: Result) -> None:
    """What is in the archive, and what a stack needs besides."""
    data = result.data
    shown = "standard output" if data["archive"] == "-" else data["archive"]
    encrypted = ", encrypted" if data["encrypted"] else ""
    plain(console, f"wrote {shown}: {_held(data)}, {_size(data['size'])}{encrypted}")
    plain(console, f"not in it, and yours to keep: {_listed(data['left_out'])}")
    if not data["encrypted"]:
        plain(console, "it holds private keys as they are: keep it as safe as this host")


def show_restore(console: Console, result: Result) -> None:
    """What was, or would be, restored."""
    data = result.data
    what = f"{_held(data)}, of {data['made'][:16].replace('T', ' ')} UTC"
    if not result.dry_run:
        plain(console, f"restored {data['archive']}: {what}")
        return
    plain(console, f"{data['archive']} is whole: {what}")
    if data["replaced"]:
        plain(console, f"with --force it would put aside: {', '.join(data['replaced'])}")


def _held(data: dict[str, object]) -> str:
    names = data["certificates"]
    assert isinstance(names, list)
    number = len(names)
    return f"project {data['project']}, {data['files']} files, {number} certificate{'' if number == 1 else 's'}"


def _listed(left_out: list[str]) -> str:
    # Named in full only where a person reads to the end.
    named = left_out[:10]
    more = [f"{len(left_out) - 10} more"] if len(left_out) > 10 else []
    return "; ".join([*named, *more, "the apps' images"])


def _size(size: int) -> str:
    return f"{size} bytes" if size < 10_000 else f"{size / 1000:,.0f} kB"
