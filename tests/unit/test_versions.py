"""A damaged lineage is put together from what is left, and never loses a certificate of its chain."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from stackctl.certs.issuer.versions import LineageFiles, judge
from tests.unit.test_diagnose_certificates import LEAF, MIDDLE, NAME, Made, key, make, pem

PLAIN = make("leaf", MIDDLE, names=[NAME])
"""Without the URL of its issuer: nothing in it says that it needs an intermediate."""

CUTS: dict[str, Callable[[bytes], bytes | None]] = {
    "behind its leaf": lambda chain: chain[: chain.index(b"-----END") + 26],
    "in its intermediate": lambda chain: chain[:-99],
    "in its leaf": lambda chain: chain[:99],
    "missing": lambda _: None,
}


@pytest.mark.parametrize("leaf", [LEAF, PLAIN], ids=["with the URL of its issuer", "without"])
@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
def test_a_chain_that_is_cut_off_is_put_together_whole(leaf: Made, cut: Callable[[bytes], bytes | None]) -> None:
    one: dict[str, bytes | None] = {
        "cert": pem(leaf),
        "chain": pem(MIDDLE),
        "fullchain": cut(pem(leaf, MIDDLE)),
        "privkey": key(leaf),
    }
    links = {kind: f"../../archive/{NAME}/{kind}1.pem" for kind in one}
    archive = {1: {kind: content for kind, content in one.items() if content is not None}}
    found = judge(NAME, LineageFiles(one, links, frozenset({1}), None), lambda: archive)
    assert found.repair is not None
    assert found.chain == pem(leaf, MIDDLE)
    assert found.key == one["privkey"]
