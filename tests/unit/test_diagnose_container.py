"""The checks of the certbot container and of the stack's directory."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stackctl.diagnose.certbot import CertbotFacts, judge_certbot
from stackctl.diagnose.check import Verdict, found_wrong
from stackctl.diagnose.permissions import Mode, PermissionFacts, Repository, judge_tree

CERTBOT = CertbotFacts("certbot", "https://ca.example/dir", "ca.example", "running", ("192.0.2.9",), 200)
TREE = PermissionFacts("/srv/sites")
OPEN = Mode("data/certs/a/privkey.pem", 0o644, 0o600, "so that others can read the key")


@pytest.mark.parametrize(
    ("facts", "broken", "unknown"),
    [
        (CERTBOT, None, set()),
        (replace(CERTBOT, state=None), "certbot", {"certbot-dns", "certbot-route"}),
        (replace(CERTBOT, state="restarting"), "certbot", {"certbot-dns", "certbot-route"}),
        (replace(CERTBOT, addresses=(), status=None, problem="no name"), "certbot-dns", {"certbot-route"}),
        (replace(CERTBOT, status=None, problem="timed out"), "certbot-route", set()),
        (replace(CERTBOT, status=503), "certbot-route", set()),
        (replace(CERTBOT, exec_problem="python3: not found"), None, {"certbot-dns", "certbot-route"}),
    ],
)
def test_certbot_container(facts: CertbotFacts, broken: str | None, unknown: set[str]) -> None:
    checks = judge_certbot(facts)
    assert [check.name for check in checks] == ["certbot", "certbot-dns", "certbot-route"]
    assert [check.name for check in found_wrong(checks)] == ([broken] if broken else [])
    assert {check.name for check in checks if check.verdict is Verdict.UNKNOWN} == unknown


def test_with_a_wrong_clock_tls_is_not_judged() -> None:
    facts = replace(CERTBOT, status=None, problem="certificate is not yet valid")
    assert found_wrong(judge_certbot(facts, clock_wrong=True)) == []


@pytest.mark.parametrize(
    ("facts", "broken", "words"),
    [
        (TREE, None, ""),
        (replace(TREE, writable=False), "directory", "root"),
        (replace(TREE, modes=(OPEN,)), "permissions", "chmod 600 data/certs/a/privkey.pem"),
        (replace(TREE, webroot=Mode("data/certbot/www", 0o700, 0o755, "")), "webroot", "chmod 755 data/certbot/www"),
        (replace(TREE, repository=Repository("/srv", (), ())), None, ""),
        (
            replace(TREE, repository=Repository("/srv", (".stackctl/lock",), ())),
            "version-control",
            "git rm -r --cached",
        ),
        (replace(TREE, repository=Repository("/srv", (), ("data/certs/",))), "version-control", "stackctl up"),
        (replace(TREE, drafts=("nginx/.live.tmp",)), "leftovers", "rm -r nginx/.live.tmp"),
        (replace(TREE, unfinished="'stackctl up' (pid 7)"), "leftovers", "stackctl up"),
        (replace(TREE, running="'stackctl up' (pid 7)"), None, ""),
    ],
)
def test_directory(facts: PermissionFacts, broken: str | None, words: str) -> None:
    checks = judge_tree(facts)
    assert [check.name for check in checks] == ["directory", "permissions", "webroot", "version-control", "leftovers"]
    wrong = found_wrong(checks)
    assert [check.name for check in wrong] == ([broken] if broken else [])
    assert all(words in (check.todo or "") for check in wrong)
