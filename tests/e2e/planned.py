"""What 'stackctl plan' shows is what 'stackctl up' then does: compared at every 'up' of the end-to-end tests."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from tests.e2e.helpers import Stack

_ENDED = re.compile(
    r"^(?P<mark>[✓✗]) (?P<text>.*?)(?: because .*?)?(?: \((?:\d+ together in )?\d+\.\d s\))?$", re.MULTILINE
)

_TAKEN_BACK = "not published, the site is unchanged: "
"""Before the text of what was staged for a site that the proxy then refuses."""


_PARKED = re.compile("keep .* in the live configuration")
"""What no plan shows: a live site that the proxy is found to reject by now."""


class PlannedStack(Stack):
    """A stack whose every ``up`` is planned first; plan and deeds must agree, in every scenario there will ever be."""

    def run(
        self, *arguments: str | Path, environment: Mapping[str, str] | None = None, seconds: float = 150.0
    ) -> subprocess.CompletedProcess[str]:
        words = [str(word) for word in arguments]
        if words[:1] != ["up"] or "--dry-run" in words:
            return super().run(*arguments, environment=environment, seconds=seconds)
        command = ["plan", *_without(words[1:], "--wait", "--output", "-o"), "--output", "json"]
        busy = self._is_busy()
        shown = super().run(*command, environment=environment, seconds=seconds)
        done = super().run(*arguments, environment=environment, seconds=seconds)
        if not busy:
            self._compare(json.loads(shown.stdout), shown.returncode, done)
        return done

    def _is_busy(self) -> bool:
        """Whether another command is at work: what it changes after the plan is made, the plan cannot show."""
        try:
            holder = json.loads((self.directory / ".stackctl/lock").read_bytes())
        except (OSError, ValueError):
            return False
        return psutil.pid_exists(holder["pid"])

    def _compare(self, shown: dict[str, Any], code: int, done: subprocess.CompletedProcess[str]) -> None:
        said = f"{done.stdout}{done.stderr}"
        if code:
            assert done.returncode == code, f"'plan' is refused with {code} ({shown['errors']}), but not 'up': {said}"
            return
        if done.stdout.startswith("{"):
            then = json.loads(done.stdout)
            keys = ("kind", "text", "cause", "scope")
            if "operations" in then:  # it was not refused before there was a plan
                assert [[one[key] for key in keys] for one in then["operations"]] == [
                    [one[key] for key in keys] for one in shown["operations"]
                ]
            return
        planned = [one["text"] for one in shown["operations"]]
        ended = [(match["mark"], match["text"]) for match in _ENDED.finditer(done.stdout)]
        carried_out = [text for mark, text in ended if mark == "✓"]
        if done.returncode == 0:
            assert carried_out == planned, f"'plan' showed {planned}, 'up' did {carried_out}"
        else:  # the rest was skipped, or is what failed
            assert list(_in_order(carried_out, planned)) == carried_out, f"planned: {planned}, done: {carried_out}"
            failed = {text.removeprefix(_TAKEN_BACK) for mark, text in ended if mark == "✗"}
            failed = {text for text in failed if not _PARKED.fullmatch(text)}
            assert failed <= set(planned), f"planned: {planned}, failed: {failed}"


def _without(words: Sequence[str], *options: str) -> Iterator[str]:
    """``words`` without options, and without the values that follow them."""
    rest = iter(words)
    for word in rest:
        if word in options:
            next(rest)
        else:
            yield word


def _in_order(wanted: Sequence[str], of: Sequence[str]) -> Iterator[str]:
    """Those of ``wanted`` that are found one behind the other in ``of``."""
    left = iter(of)
    return (text for text in wanted if text in left)
