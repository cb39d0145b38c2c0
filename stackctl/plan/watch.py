"""Plan the files by which the renewal loop writes metrics and sends alerts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from stackctl.model.layout import WATCH, WATCH_SETTINGS
from stackctl.observed.state import Observed
from stackctl.plan.operation import Operation, Preparation


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteWatch(Operation):
    """Write the program by which the renewal loop writes metrics and sends alerts, or its settings."""

    preparation = Preparation.HOOK

    files: Mapping[str, bytes] = field(repr=False)

    @property
    def text(self) -> str:
        """A short description of what it does."""
        what = WATCH_SETTINGS.path if _is_settings(self.files) else f"the program for metrics and alerts {WATCH.path}"
        return f"write {what}"


def watch_operations(observed: Observed, files: Mapping[str, bytes], *, settings: bool) -> Iterator[WriteWatch]:
    """Yield what writes the files for metrics and alerts that are not as they have to be.

    The program comes before the container that runs it. If only its settings change, they come last (``settings``):
    a new site is not watched before it is served.
    """
    changed = {path: content for path, content in files.items() if observed.watch_files.get(path) != content}
    if changed and _is_settings(changed) == settings:
        cause = "the sites or the receivers changed" if settings else "of another version"
        yield WriteWatch(files=changed, cause=cause if observed.watch_files else "missing")


def _is_settings(files: Mapping[str, bytes]) -> bool:
    return [*files] == [WATCH_SETTINGS.path]
