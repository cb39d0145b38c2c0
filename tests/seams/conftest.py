from __future__ import annotations

import pytest

from tests.usecases.world import without_waiting


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    without_waiting(monkeypatch)
