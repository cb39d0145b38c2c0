"""``adopt`` on the layouts that public stacks have: every location answers afterwards as before."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e import corpus
from tests.e2e.conftest import NewStack
from tests.e2e.corpus import TREES, Answer
from tests.e2e.helpers import wait_until

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module", autouse=True)
def _images() -> None:
    corpus.build_images()


def difference(before: Answer, after: Answer) -> list[str]:
    """What a client sees differently."""
    found = [f"status {before.status} -> {after.status}"] if before.status != after.status else []
    for name in sorted({*before.headers, *after.headers}):
        one, other = before.headers.get(name), after.headers.get(name)
        found += [f"{name} {one!r} -> {other!r}"] if one != other else []
    if before.body != after.body and before.status == after.status:
        found.append(f"body {before.body[:300]!r} -> {after.body[:300]!r}")
    return found


@pytest.mark.parametrize("source", TREES, ids=lambda path: path.name)
def test_every_location_answers_as_before(new_stack: NewStack, source: Path) -> None:
    tree = corpus.start(new_stack(), source)
    stack = tree.stack
    try:
        wait_until(tree.ready, 60, "it answers")
        before, serials = tree.answers(), tree.serials()
        plan = corpus.adopt(tree, "--dry-run")
        print(plan.partition("changes to the Compose file")[0])
        corpus.adopt(tree, "--yes")
        after = tree.answers()
        found = {what: difference(before[what], after[what]) for what in before}
        if "HTTP is redirected to HTTPS with 301, 308, by method, not with 301" in plan:
            found = {what: [] if one == ["status 301 -> 308"] else one for what, one in found.items()}
        accepted = tree.facts.get("different", {})
        left = {what: one for what, one in found.items() if one and what.partition(" ")[2] not in accepted}
        assert not left, "\n".join(f"{what}: {'; '.join(one)}" for what, one in left.items())
        for text in accepted.values():
            assert text in plan
        assert {name: serial for name, serial in tree.serials().items() if name in serials} == serials
        assert "nothing to do" in stack.ok("up", "--no-issue").stdout
        old = (source / "docker-compose.yml").read_text()
        stack.ok("rollback")
        assert stack.file.read_text() == old
        assert tree.answers() == before
    finally:
        stack.remove()
