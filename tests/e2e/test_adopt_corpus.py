"""``adopt`` on the layouts that public stacks have: every location answers afterwards as before."""

from __future__ import annotations

import pytest

from tests.adopt_corpus.check import check
from tests.adopt_corpus.trees import CORPUS, REPRESENTATIVE, build_images
from tests.e2e.conftest import NewStack

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module", autouse=True)
def _images() -> None:
    build_images()


@pytest.mark.parametrize("name", REPRESENTATIVE)
def test_every_location_answers_as_before(new_stack: NewStack, name: str) -> None:
    stack = new_stack()
    try:
        check(stack, CORPUS / name)
    finally:
        stack.remove()
