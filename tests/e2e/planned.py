"""What 'stackctl plan' shows is what 'stackctl up' then does: compared at every 'up' of the end-to-end tests."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from tests.e2e.helpers import Stack

_ENDED = re.compile(
    r"^(?P<mark>[✓✗]) (?P<text>.*?)(?: because .*?)?(?: \((?:\d+ together in )?\d+\.\d s\))?$", re.MULTILINE
)

_TAKEN_BACK = "not published, the site is unchanged: "
"""Before the text of what was staged for a site that the proxy then refuses."""


_NOT_SERVED = "is not served with the certificate on disk"
"""How the cause of a reload ends that the proxy's own loop makes too, with the next look at its stamp."""

_COPY = "copy the certificate "
_OF_LOOPS = re.compile(rf"reload the proxy|verify that .* is served with its .* certificate|{_COPY}.*")
"""What a plan has after a renewal, until the loops have copied and loaded it."""

_PARKED = re.compile("keep .* in the live configuration")
"""What no plan shows: a live site that the proxy is found to reject by now."""


class PlannedStack(Stack):
    """A stack whose every ``up`` is planned first; plan and deeds must agree, in every scenario there will ever be."""

    def run(
        self, *arguments: str | Path, environment: Mapping[str, str] | None = None, seconds: float = 400.0
    ) -> subprocess.CompletedProcess[str]:
        words = [str(word) for word in arguments]
        if words[:1] != ["up"] or "--dry-run" in words:
            return super().run(*arguments, environment=environment, seconds=seconds)
        command = ["plan", *_without(words[1:], "--wait", "--output", "-o"), "--output", "json"]
        busy = self._is_busy()
        certificates = self._certificates()
        shown = super().run(*command, environment=environment, seconds=seconds)
        done = super().run(*arguments, environment=environment, seconds=seconds)
        if not busy:
            plan = json.loads(shown.stdout)
            renewed = {name for name, _ in self._certificates() - certificates}
            self._compare(plan, shown.returncode, done, loops=_at_work(plan.get("operations", ()), renewed))
        return done

    def _certificates(self) -> set[tuple[str, bytes]]:
        """The certificates of certbot's tree: what its loop changes while a command runs."""
        found = set()
        for path in self.live.glob("*/cert.pem"):
            with suppress(OSError):  # certbot replaces the links one by one
                found.add((path.parent.name, path.read_bytes()))
        return found

    def _is_busy(self) -> bool:
        """Whether another command is at work: what it changes after the plan is made, the plan cannot show."""
        try:
            holder = json.loads((self.directory / ".stackctl/lock").read_bytes())
        except (OSError, ValueError):
            return False
        return psutil.pid_exists(holder["pid"])

    def _compare(
        self, shown: dict[str, Any], code: int, done: subprocess.CompletedProcess[str], *, loops: bool
    ) -> None:
        """Compare; with ``loops`` those of the containers may have done something after the plan was made."""

        def of_stackctl(texts: Iterable[str]) -> list[str]:
            return [text for text in texts if not (loops and _OF_LOOPS.fullmatch(text))]

        said = f"{done.stdout}{done.stderr}"
        if code:
            assert done.returncode == code, f"'plan' is refused with {code} ({shown['errors']}), but not 'up': {said}"
            return
        if done.stdout.startswith("{"):
            then = json.loads(done.stdout)
            keys = ("kind", "text", "cause", "scope")
            if "operations" in then:  # it was not refused before there was a plan
                assert [[one[key] for key in keys] for one in then["operations"] if of_stackctl([one["text"]])] == [
                    [one[key] for key in keys] for one in shown["operations"] if of_stackctl([one["text"]])
                ]
            return
        planned = of_stackctl(one["text"] for one in shown["operations"])
        ended = [(match["mark"], match["text"]) for match in _ENDED.finditer(done.stdout)]
        carried_out = of_stackctl(text for mark, text in ended if mark == "✓")
        if done.returncode == 0:
            assert carried_out == planned, f"'plan' showed {planned}, 'up' did {carried_out}"
        else:  # the rest was skipped, or is what failed
            assert list(_in_order(carried_out, planned)) == carried_out, f"planned: {planned}, done: {carried_out}"
            failed = {text.removeprefix(_TAKEN_BACK) for mark, text in ended if mark == "✗"}
            failed = {text for text in of_stackctl(failed) if not _PARKED.fullmatch(text)}
            assert failed <= set(planned), f"planned: {planned}, failed: {failed}"


def _at_work(operations: Sequence[Mapping[str, str]], renewed: Collection[str]) -> bool:
    """Whether the loops changed something after a plan was made, or may have: they copy and load what is on disk.

    ``renewed`` are the lineages that have another certificate since; those that the plan issues are not the loop's.
    """
    issued = " ".join(one["text"] for one in operations)
    to_be_loaded = any(one["cause"].endswith(_NOT_SERVED) or one["text"].startswith(_COPY) for one in operations)
    return to_be_loaded or any(name not in issued for name in renewed)


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
