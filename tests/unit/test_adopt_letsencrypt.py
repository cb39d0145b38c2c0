"""The address of whom the certificates of an adopted stack belong to."""

from __future__ import annotations

import json

import pytest

from stackctl.adopt.letsencrypt import contact_of


@pytest.mark.parametrize(
    ("accounts", "scripts", "found"),
    [
        (
            [json.dumps({"body": {"contact": ["mailto:ann@example.org"]}})],
            ['email="bob@example.org"'],
            "ann@example.org",
        ),
        (
            [json.dumps({"body": {}, "uri": "https://ca/acct/1"})],
            ['x=1\nemail="bob@example.org" # yes'],
            "bob@example.org",
        ),
        ([], ["EMAIL='bob@example.org'\n"], "bob@example.org"),
        (["not JSON"], ['email=""'], None),
        ([], [], None),
    ],
)
def test_contact_of(accounts: list[str], scripts: list[str], found: str | None) -> None:
    assert contact_of(accounts, scripts) == found
