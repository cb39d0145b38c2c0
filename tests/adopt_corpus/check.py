"""Adopt one tree, and check that every location answers as before or that the difference is listed."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from stackctl.adopt.comparison import STRANGER
from tests.adopt_corpus.trees import UNKNOWN, Answer, Tree, start
from tests.e2e.helpers import CERTBOT_IMAGE, Stack, wait_until

_COMPARED = {"status", "location", "content-type", "body"}
"""What adopt's comparison must report as this one does, for the requests that both send."""

_CERTBOT = ("--certbot-image", CERTBOT_IMAGE)

_REDIRECTED = re.compile(r"HTTP is redirected to HTTPS with 301, 308, by method, not with (30\d)")


@dataclass(frozen=True)
class Outcome:
    """The result of a tree.

    Attributes:
        asked: how many URLs were asked before and after.
        listed: those that differ as the plan says.
        refused: whether ``adopt`` refuses the stack, as the tree expects.
    """

    asked: int
    listed: int = 0
    refused: bool = False

    def __str__(self) -> str:
        return "refused, as expected" if self.refused else "listed differences" if self.listed else "equal"


@dataclass(frozen=True)
class Change:
    """What a client sees differently in the answer to one request."""

    request: str
    what: str
    old: object
    new: object

    @property
    def url(self) -> str:
        return self.request.partition(" ")[2]

    @property
    def site(self) -> str:
        """The scheme and the name; one for all names that no server has."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{STRANGER if parts.hostname == UNKNOWN else parts.hostname}"

    def is_redirect_of(self, statuses: Collection[int]) -> bool:
        """Whether a redirect to HTTPS only has another of stackctl's statuses instead of one of these."""
        return self.url.startswith("http:") and self.old in statuses and self.new in {301, 308}

    def __str__(self) -> str:
        return f"{self.request}: {self.what} {self.old!r} -> {self.new!r}"


def check(stack: Stack, source: Path) -> Outcome:
    """Start, adopt, compare and roll back one tree."""
    tree = start(stack, source)
    wait_until(tree.ready, 60, "it answers")
    before, serials = tree.answers(), tree.serials()
    old = stack.file.read_text()
    if "named" in tree.facts:
        _check_refusal(tree, tree.facts["named"], ())
    if "refused" in tree.facts:
        _check_refusal(tree, tree.facts["refused"], tree.facts.get("adopt", ()))
        outcome = Outcome(len(tree.facts["ask"]), refused=True)
    else:
        report = json.loads(_adopt(tree, "--yes", "--force", "--output", "json"))
        outcome = Outcome(len(tree.facts["ask"]), _check_answers(tree, before, report))
        assert tree.serials() == serials, "no certificate changes"
        planned = stack.ok("up", "--no-issue").stdout
        assert "nothing to do" in planned, planned
        stack.ok("rollback")
    assert stack.file.read_text() == old, "the rollback restores the file"
    wait_until(tree.ready, 60, "it answers again")
    after = tree.answers()
    left = [str(change) for what in before for change in changes(what, before[what], after[what])]
    assert not left, "after the rollback: " + "; ".join(left)
    return outcome


def _check_refusal(tree: Tree, text: str, arguments: Sequence[str]) -> None:
    done = tree.stack.run("adopt", *arguments, *_CERTBOT, "--yes")
    said = f"{done.stdout}{done.stderr}"
    assert done.returncode in {1, 2}, said
    assert text in said, said
    assert "Traceback" not in said, said


def _check_answers(tree: Tree, before: Mapping[str, Answer], report: Mapping[str, Any]) -> int:
    """Check what changed against the plan and against adopt's own comparison; return how many URLs changed."""
    texts = "\n".join(remark["text"] for remark in report["remarks"])
    comparison = report["comparison"]
    assert comparison is not None, "nothing was compared"
    assert comparison["problem"] is None, comparison["problem"]
    after = tree.answers()
    accepted = tree.facts.get("different", {})
    for text in (*accepted.values(), *tree.facts.get("told", ())):
        assert text in texts, f"the plan does not say {text!r}:\n{texts}"
    found = [change for what in before for change in changes(what, before[what], after[what])]
    statuses = {int(status) for status in _REDIRECTED.findall(texts)}
    found = [change for change in found if not (change.what == "status" and change.is_redirect_of(statuses))]
    left = [str(change) for change in found if change.url not in accepted]
    assert not left, "\n".join(left)
    assert accepted.keys() <= {change.url for change in found}, "each accepted difference occurs"
    reported = [_reported(one) for one in comparison["differences"]]
    silent = [change for change in found if _is_compared(change) and not _covers(reported, change)]
    assert not silent, "not reported by adopt: " + "; ".join(map(str, silent))
    _check_reported(
        tree, [change for change, one in zip(reported, comparison["differences"], strict=True) if not one["expected"]]
    )
    return len({change.url for change in found})


def changes(request: str, before: Answer, after: Answer) -> Iterator[Change]:
    """Yield what a client sees differently."""
    if before.status != after.status:
        yield Change(request, "status", before.status, after.status)
    for name in sorted({*before.headers, *after.headers}):
        one, other = before.headers.get(name), after.headers.get(name)
        if one != other:
            yield Change(request, name, one, other)
    if before.body != after.body and before.status == after.status:
        yield Change(request, "body", before.body[:300], after.body[:300])


def _reported(one: Mapping[str, Any]) -> Change:
    return Change(one["request"], one["what"], one["old"], one["new"])


def _is_compared(change: Change) -> bool:
    """Whether adopt sends such a request: it only reads, and opens no WebSocket."""
    return change.request.startswith(("GET http", "HEAD http")) and change.what in _COMPARED


def _covers(reported: list[Change], change: Change) -> bool:
    # Adopt does not list what follows from another status.
    return any(one.site == change.site and one.what in {change.what, "status"} for one in reported)


def _check_reported(tree: Tree, reported: list[Change]) -> None:
    """Check that adopt's comparison finds nothing that is neither listed in the tree nor an echo of the request."""
    listed = {*tree.facts.get("reported", {}), *tree.facts.get("different", {})}
    left = [str(one) for one in reported if one.url not in listed and not (one.what == "body" and tree.echoes(one.url))]
    assert not left, "reported by adopt only: " + "; ".join(left)


def _adopt(tree: Tree, *more: str) -> str:
    """Adopt the tree with the lab's images; return what is printed."""
    return tree.stack.ok("adopt", *tree.facts.get("adopt", ()), *_CERTBOT, *more).stdout
