"""Show how a plan changes files, as diffs: pure, from the operations and the observed state."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from stackctl.observed.state import Observed
from stackctl.plan.operation import Operation, Plan
from stackctl.plan.operations import StageFiles, WriteCustom, WriteStackfile
from stackctl.proxies.proxy import Proxy
from stackctl.stackfile.secrets import hidden

_CONTEXT = 3
_YAML = (".yml", ".yaml")
_NO_NEWLINE = "\\ No newline at end of file"


@dataclass(frozen=True, slots=True)
class FileDiff:
    """How one file changes.

    Attributes:
        path: relative to the stack's directory; of a copy, the path of the file that the user edits.
        lines: hunks as in ``diff -u``, without the two lines that name the file; raw text, which is escaped
            where it is printed.
    """

    path: str
    status: Literal["new", "changed", "removed"]
    lines: tuple[str, ...]

    @property
    def added(self) -> int:
        """The number of added lines."""
        return sum(line.startswith("+") for line in self.lines)

    @property
    def removed(self) -> int:
        """The number of removed lines."""
        return sum(line.startswith("-") for line in self.lines)


def plan_diffs(plan: Plan, observed: Observed, proxy: Proxy) -> tuple[tuple[FileDiff, ...], ...]:
    """Return, for each operation of ``plan``, the diffs against the result of the operations before it.

    A diff is shown once: a change of a user's custom file is not repeated for the proxy's copy of it.
    Certificates, keys, hashed passwords and the CA bundle are not shown.
    """
    files = _Files(observed, proxy)
    shown: set[FileDiff] = set()
    found: list[tuple[FileDiff, ...]] = []
    for operation in plan.operations:
        diffs = [diff for diff in files.changed_by(operation) if diff not in shown]
        shown.update(diffs)
        found.append(tuple(diffs))
    return tuple(found)


class _Files:
    """The files as observed, updated by one operation after the other."""

    def __init__(self, observed: Observed, proxy: Proxy) -> None:
        self._stackfile = None if observed.stackfile is None else observed.stackfile.encode()
        self._custom = dict(observed.custom)
        self._before = observed.before
        self._live = dict(observed.live)
        self._proxy = proxy

    def changed_by(self, operation: Operation) -> Iterator[FileDiff]:
        match operation:
            case WriteStackfile():
                yield from file_diff(operation.file, self._stackfile, operation.content.encode())
            case WriteCustom(secret=True):
                pass
            case WriteCustom():
                yield from file_diff(operation.path, self._before(operation.path), operation.content)
                self._custom.pop(operation.name, None)
                if operation.content is not None:
                    self._custom[operation.name] = operation.content
            case StageFiles():
                changes: dict[str, bytes | None] = {**operation.files, **dict.fromkeys(operation.leave_out)}
                for path, content in sorted(changes.items()):
                    if path.partition("/")[0] in self._proxy.layout.secret:
                        continue
                    yield from file_diff(self._known_as(path, content), self._live.pop(path, None), content)
                    if content is not None:
                        self._live[path] = content

    def _known_as(self, path: str, content: bytes | None) -> str:
        """Return the path of the file that the user edits if the proxy's file is, or was, only its copy."""
        source = self._proxy.original_of(path)
        is_copy = source != path and self._custom.get(source.rpartition("/")[2]) == content
        return f"{self._proxy.layout.directory}/{source if is_copy else path}"


def file_diff(path: str, before: bytes | None, after: bytes | None) -> Iterator[FileDiff]:
    """Yield the diff between two contents of a file (None: it does not exist), or nothing if they are equal."""
    if before == after:
        return
    status: Literal["new", "changed", "removed"] = (
        "new" if before is None else "removed" if after is None else "changed"
    )
    show = hidden if path.endswith(_YAML) else str
    yield FileDiff(path, status, tuple(_hunks(_lines(before, show), _lines(after, show))))


def _lines(content: bytes | None, show: Callable[[str], str]) -> list[str]:
    """Split at line feeds only; the last line says if its line feed is missing."""
    lines = show((content or b"").decode("utf-8", "backslashreplace")).split("\n")
    last = lines.pop()
    return [*lines, f"{last}\n{_NO_NEWLINE}"] if last else lines


def _hunks(before: Sequence[str], after: Sequence[str]) -> Iterator[str]:
    # Most of a large file is equal at both ends: only the part between is compared.
    head = _same(before, after)
    tail = min(_same(before[::-1], after[::-1]), len(before) - head, len(after) - head)
    start, end = max(head - _CONTEXT, 0), max(tail - _CONTEXT, 0)
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    for group in SequenceMatcher(None, old, new, autojunk=len(old) > 1000).get_grouped_opcodes(_CONTEXT):
        first, last = group[0], group[-1]
        ranges = (_range(start + first[1], start + last[2]), _range(start + first[3], start + last[4]))
        yield "@@ -{} +{} @@".format(*ranges)
        for kind, i1, i2, j1, j2 in group:
            if kind == "equal":
                yield from (part for line in old[i1:i2] for part in f" {line}".split("\n"))
                continue
            yield from (part for line in old[i1:i2] for part in f"-{line}".split("\n"))
            yield from (part for line in new[j1:j2] for part in f"+{line}".split("\n"))


def _same(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many leading lines are equal."""
    for number, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return number
    return min(len(one), len(other))


def _range(start: int, stop: int) -> str:
    """Format a range as ``diff -u`` does: from 1, and an empty range names the line before it."""
    length = stop - start
    return f"{start + 1}" if length == 1 else f"{start + (length > 0)},{length}"
