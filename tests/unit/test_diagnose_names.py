"""A name as a CA sees it: the checks of doctor, and the failures certain enough to stop a command."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from stackctl.certs.ledger import Refusal
from stackctl.diagnose.caa import permission
from stackctl.diagnose.cdn import cdn_of
from stackctl.diagnose.check import Check, Verdict, found_wrong
from stackctl.diagnose.dns import CaaFacts, NameFacts, ProbeFile, judge_challenge, judge_limits, judge_name
from stackctl.diagnose.preflight import certain_failure
from stackctl.model.endpoints import PortBinding
from stackctl.model.values import Domain
from stackctl.observed.network import Answer, Fetched, Lookup, Reach

NAME = Domain("app.example.com")
PROBE_FILE = ProbeFile("/.well-known/acme-challenge/stackctl-1", "secret")
HERE, SIX, ELSEWHERE = "192.0.2.1", "2001:db8::1", "203.0.113.7"
NONE, NO_NAME, SERVFAIL, SILENT = (Lookup(Answer(answer)) for answer in list(Answer)[1:])
US = ("letsencrypt.org",)


def found(*records: str, chain: tuple[str, ...] = ()) -> Lookup:
    return Lookup(Answer.FOUND, records, chain)


def right(address: str, **more: object) -> Fetched:
    return replace(Fetched(address, Reach.ANSWERED, 200, b"secret\n"), **more)  # type: ignore[arg-type]


def other(address: str, **headers: str) -> Fetched:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return Fetched(address, Reach.ANSWERED, 404, b"nothing here", named)


def caa(*records: str, identities: tuple[str, ...] | None = US) -> CaaFacts:
    return CaaFacts(found(*records) if records else NONE, "example.com", identities)


WELL = NameFacts(
    NAME,
    found(HERE),
    NONE,
    caa=caa(),
    fetched=(right(HERE),),
    probe_file=PROBE_FILE,
    own=frozenset({HERE, SIX}),
    http=PortBinding(None, 80),
    generation="g1",
)
BEHIND = replace(WELL, v4=found(ELSEWHERE))


def verdicts(checks: list[Check]) -> dict[str, Verdict]:
    return {check.name: check.verdict for check in checks}


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (WELL, "an address of this host"),
        (replace(BEHIND, fetched=(right(ELSEWHERE),)), "not an address of this host"),
        (replace(BEHIND, fetched=(right(ELSEWHERE, headers={"cf-ray": "8a"}),)), "Cloudflare, which passes"),
        (replace(BEHIND, fetched=(right(ELSEWHERE, redirect="https://x.example/y"),)), "redirect to https://x.example"),
        (replace(WELL, caa=caa("0 issue letsencrypt.org")), "reaches this proxy"),
        (replace(WELL, v4=found(HERE, chain=("edge.example.net",))), "an address of this host"),
        (replace(WELL, http=PortBinding("127.0.0.2", 8080)), "reaches this proxy"),
        (replace(WELL, v4=found("192.168.1.5", HERE), public=True), "reaches this proxy"),
        (replace(WELL, v4=found("192.168.1.5"), public=False), "reaches this proxy"),
    ],
)
def test_a_name_that_reaches_the_proxy_passes(facts: NameFacts, words: str) -> None:
    checks = judge_name(facts)
    assert {check.verdict for check in checks} == {Verdict.OK}
    assert words in checks[-1].text
    assert certain_failure(facts) is None


@pytest.mark.parametrize(
    ("facts", "broken", "certain"),
    [
        (replace(WELL, v4=NO_NAME, v6=NO_NAME, fetched=()), "dns", True),
        (replace(WELL, v4=NONE, fetched=()), "dns", True),
        (replace(WELL, v4=SERVFAIL, v6=SERVFAIL, fetched=()), "dns", False),
        (replace(WELL, v4=replace(NO_NAME, chain=("gone.example.net",)), v6=NO_NAME, fetched=()), "cname", True),
        (replace(WELL, v4=replace(NONE, chain=("b.example", NAME), loop=True), fetched=()), "cname", True),
        (replace(WELL, caa=caa("0 issue other.example")), "caa", True),
        (replace(WELL, caa=CaaFacts(SERVFAIL, "example.com")), "caa", False),
        (replace(BEHIND, fetched=(other(ELSEWHERE, server="Apache"),)), "reach", True),
        (replace(BEHIND, fetched=(other(ELSEWHERE, server="cloudflare"),)), "reach", True),
        (replace(BEHIND, fetched=(replace(other(ELSEWHERE), redirect="https://x.example/"),)), "reach", True),
        (replace(WELL, fetched=(Fetched(HERE, Reach.REFUSED),)), "reach", True),
        (replace(WELL, fetched=(right(HERE), other(ELSEWHERE))), "reach", False),
        # A CA prefers the AAAA record, and falls back to IPv4 without an answer there.
        (replace(WELL, v6=found(SIX), fetched=(right(HERE), Fetched(SIX, Reach.REFUSED))), "reach", False),
        (replace(WELL, v6=found("2001:db8::9"), fetched=(right(HERE), other("2001:db8::9"))), "reach", True),
        (
            replace(WELL, v6=found("2001:db8::9"), fetched=(right(HERE), Fetched("2001:db8::9", Reach.SILENT))),
            "reach",
            False,
        ),
    ],
)
def test_one_fault_fails_exactly_one_check(facts: NameFacts, broken: str, certain: bool) -> None:
    wrong = found_wrong(judge_name(facts))
    assert {check.name for check in wrong} == {broken}
    assert all(check.todo and check.subject == NAME for check in wrong)
    failure = certain_failure(facts)
    assert (failure.name if failure else None) == (broken if certain else None)


@pytest.mark.parametrize(
    ("facts", "name", "words"),
    [
        (replace(WELL, v4=SILENT, v6=SILENT, fetched=()), "dns", "dig A"),
        (replace(WELL, v4=found("192.168.1.5"), public=True), "dns", "STACKCTL_RESOLVER"),
        (replace(WELL, v6=found("fd00::1"), v4=found("10.0.0.1"), public=True), "dns", "STACKCTL_RESOLVER"),
        (replace(WELL, caa=CaaFacts(SILENT, "example.com")), "caa", "dig CAA example.com"),
        (replace(WELL, caa=caa("0 issue other.example", identities=None)), "caa", "dig CAA"),
        (replace(WELL, caa=caa("0 issue letsencrypt.org; accounturi=https://x/1")), "caa", "dig CAA"),
        (replace(BEHIND, fetched=(Fetched(ELSEWHERE, Reach.SILENT),)), "reach", f"http://{ELSEWHERE}/"),
        (replace(BEHIND, generation=None, fetched=(Fetched(ELSEWHERE, Reach.REFUSED),)), "reach", "curl -i http://app"),
        (replace(WELL, v6=found(SIX), fetched=(right(HERE), Fetched(SIX, Reach.NO_ROUTE))), "reach", f"[{SIX}]"),
        # Port 80 may be forwarded to 8080 for outside clients only.
        (
            replace(WELL, http=PortBinding("127.0.0.2", 8080), fetched=(Fetched(HERE, Reach.REFUSED),)),
            "reach",
            "from another network",
        ),
    ],
)
def test_an_unknown_check_says_what_to_run_elsewhere(facts: NameFacts, name: str, words: str) -> None:
    checks = judge_name(facts)
    assert found_wrong(checks) == []
    unknown = [check for check in checks if check.verdict is Verdict.UNKNOWN and check.name == name]
    assert words in (unknown[0].todo or "")
    assert certain_failure(facts) is None


def test_with_another_published_port_the_message_names_both() -> None:
    facts = replace(WELL, http=PortBinding("127.0.0.2", 8080), fetched=(Fetched(HERE, Reach.REFUSED),))
    assert "a CA connects to port 80, but the proxy is published on 127.0.0.2:8080" in judge_name(facts)[-1].text


def test_without_a_fetch_no_check_fails() -> None:
    facts = replace(WELL, fetched=None, unfetched="the engine is not available")
    assert verdicts(judge_name(facts)) == {"dns": Verdict.OK, "caa": Verdict.OK, "reach": Verdict.UNKNOWN}
    assert certain_failure(facts) is None


@pytest.mark.parametrize(
    ("records", "identities", "allowed"),
    [
        ([], US, True),
        (["0 iodef mailto:me@example.com"], US, True),
        (["0 issuewild other.example"], US, True),
        (["0 issue letsencrypt.org"], US, True),
        (["0 ISSUE LetsEncrypt.ORG"], US, True),
        (["0 issue other.example", "0 issue letsencrypt.org"], US, True),
        (["0 issue ;"], US, False),
        (["0 issue "], US, False),
        (["0 issue other.example"], US, False),
        (["0 issue other.example"], ("ca.example", "other.example"), True),
        (["0 issue other.example"], None, None),
        (["0 issue letsencrypt.org; validationmethods=http-01,dns-01"], US, True),
        (["0 issue letsencrypt.org; validationmethods=dns-01"], US, False),
        (["0 issue letsencrypt.org ; accounturi=https://ca/1"], US, None),
        (["0 issue letsencrypt.org; accounturi=https://ca/1", "0 issue letsencrypt.org"], US, True),
        (["128 tbs Unknown", "0 issue letsencrypt.org"], US, False),
        (["0 tbs Unknown", "0 issue letsencrypt.org"], US, True),
    ],
)
def test_caa(records: list[str], identities: tuple[str, ...] | None, allowed: bool | None) -> None:
    found = permission(records, identities)
    assert found.allowed is allowed
    assert found.reason


@pytest.mark.parametrize(
    ("address", "headers", "cdn"),
    [
        ("104.16.1.1", {}, "Cloudflare"),
        ("104.32.0.1", {}, None),
        ("2606:4700::1", {}, "Cloudflare"),
        (ELSEWHERE, {"server": "cloudflare"}, "Cloudflare"),
        (ELSEWHERE, {"cf-ray": "8f"}, "Cloudflare"),
        (ELSEWHERE, {"x-served-by": "cache-fra-1"}, "Fastly"),
        (ELSEWHERE, {"x-served-by": "web1"}, None),
        (ELSEWHERE, {"server": "nginx"}, None),
    ],
)
def test_a_cdn_is_recognised_by_its_addresses_or_headers(
    address: str, headers: dict[str, str], cdn: str | None
) -> None:
    assert cdn_of(address, headers) == cdn


@pytest.mark.parametrize(
    ("refused", "needed", "verdict"),
    [(False, True, Verdict.OK), (True, True, Verdict.WRONG), (True, False, Verdict.OK)],
)
def test_a_rate_limit_is_wrong_only_if_a_certificate_is_needed(refused: bool, needed: bool, verdict: Verdict) -> None:
    refusal = Refusal("5 failed validations of the name are used up", datetime(2026, 1, 1, tzinfo=UTC))
    check = judge_limits(NAME, None, refusal if refused else None, needed=needed)
    assert check.verdict is verdict
    assert ("2026-01-01" in f"{check.text} {check.todo}") is refused


@pytest.mark.parametrize(
    ("fetched", "verdict"),
    [(right(HERE), Verdict.OK), (other(HERE), Verdict.WRONG), (Fetched(HERE, Reach.REFUSED), Verdict.WRONG)],
)
def test_the_proxy_must_serve_challenges_on_its_published_port(fetched: Fetched, verdict: Verdict) -> None:
    assert judge_challenge(PROBE_FILE, fetched, PortBinding(None, 80)).verdict is verdict
