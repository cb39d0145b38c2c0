"""Interpreting an HTTP status: which component sent it, and which hop it points to."""

from __future__ import annotations

from typing import Any

import pytest

from stackctl.diagnose.answer import JudgedAnswer, judge_answer
from stackctl.diagnose.check import Check, Verdict, wrong
from stackctl.diagnose.hops import HopKind
from stackctl.observed.reply import Failure, Reply
from stackctl.proxies.nginx.advice import advice
from stackctl.proxies.trace import Action, Block, LoggedError, Outcome, Rule, RuleKind, ServerMatch, Trace

NAME = "a.example.com"
SERVER = Block(f"server {NAME}", "nginx/sites/a.conf:1")


def trace(outcome: Outcome = Outcome.PROXY, text: str = "proxy_pass http://web", *rules: str) -> Trace:
    found = tuple(
        Rule(RuleKind.REWRITE if rule.startswith(("if", "rewrite")) else RuleKind.ACCESS, rule, "nginx/custom/a.conf:3")
        for rule in rules
    )
    return Trace(
        SERVER, ServerMatch.EXACT, Block("location /", "f:2"), Action(outcome, text, "nginx/custom/a.conf:9"), found
    )


def logged_error(message: str) -> LoggedError:
    return LoggedError("2026/01/01 00:00:00", "error", message, NAME, "GET / HTTP/1.1", None, message)


REFUSED = logged_error("connect() failed (111: Connection refused) while connecting to upstream")
PORT = wrong("app-port", "wrong port", "write another")


def judged(reply: Reply, *logged: LoggedError, given: Trace | None = None, fault: Check | None = None) -> JudgedAnswer:
    return judge_answer(NAME, "/", given or trace(), reply, logged, fault, advice)


@pytest.mark.parametrize(
    ("reply", "more", "at", "words"),
    [
        (Reply(200), {}, None, "200, by the app"),
        (Reply(404), {}, None, "404, by the app"),
        (Reply(502), {"logged": REFUSED, "fault": PORT}, HopKind.CONTAINER, "wrong port"),
        (Reply(502), {"logged": REFUSED}, HopKind.UPSTREAM, "Connection refused"),
        (Reply(504), {"logged": logged_error("upstream timed out (110)")}, HopKind.UPSTREAM, "read-timeout"),
        (
            Reply(502),
            {"logged": logged_error("web could not be resolved (3: Host not found)")},
            HopKind.UPSTREAM,
            "stackctl up",
        ),
        (
            Reply(502),
            {"logged": logged_error("upstream prematurely closed connection")},
            HopKind.UPSTREAM,
            "ended the connection",
        ),
        (Reply(503), {"logged": logged_error("limiting requests, excess: 1")}, HopKind.LOCATION, "raise the limit"),
        (Reply(503), {"fault": PORT}, HopKind.ANSWER, "the app itself answers 503"),
        (Reply(500), {}, HopKind.ANSWER, "the app itself answers 500"),
        (Reply(301, f"https://{NAME}/"), {}, HopKind.ANSWER, "redirect loop"),
        (Reply(301, "/"), {}, HopKind.ANSWER, "redirect loop"),
        (Reply(301, f"https://{NAME}"), {}, HopKind.ANSWER, "redirect loop"),
        (Reply(302, "/", sets_cookie=True), {}, None, "302 to /, by the app"),
        (Reply(301, f"http://{NAME}/"), {}, None, "301 to"),
        (Reply(301, f"https://{NAME}/?x"), {}, None, "301 to"),
        (Reply(301, "/login"), {}, None, "301 to /login, by the app"),
        (
            Reply(401),
            {"given": trace(Outcome.PROXY, "p", "auth_basic x")},
            None,
            "by auth_basic x (nginx/custom/a.conf:3), or",
        ),
        (
            Reply(403),
            {"logged": logged_error("access forbidden by rule")},
            None,
            "by the proxy itself: access forbidden by rule",
        ),
        (
            Reply(301, "/y"),
            {"given": trace(Outcome.PROXY, "p", "if ($a) return 301")},
            None,
            "or by if ($a) return 301",
        ),
        (
            Reply(404),
            {"given": trace(Outcome.FILES, "root /x"), "logged": logged_error("open() failed")},
            HopKind.LOCATION,
            "open()",
        ),
        (Reply(410), {"given": trace(Outcome.ANSWER, "return 410")}, HopKind.LOCATION, "correct nginx/custom/a.conf:9"),
        (Reply(200), {"given": trace(Outcome.FILES, "root /x")}, None, "by the proxy itself"),
        (Reply(302, "/b"), {"given": trace(Outcome.REDIRECT, "return 302 /b")}, None, "302 to /b, by the proxy itself"),
        (
            Reply(failure=Failure.CLOSED),
            {"given": trace(Outcome.CLOSE, "return 444")},
            HopKind.LOCATION,
            "closes the connection",
        ),
        (Reply(failure=Failure.TIMEOUT), {}, HopKind.ANSWER, "no answer before the timeout"),
        (Reply(failure=Failure.TIMEOUT), {"fault": PORT}, HopKind.CONTAINER, "wrong port"),
        (Reply(failure=Failure.CONNECT), {"fault": PORT}, None, "cannot connect"),
        (Reply(failure=Failure.HANDSHAKE), {}, None, "the TLS handshake is refused"),
    ],
)
def test_judged_answer(reply: Reply, more: dict[str, Any], at: HopKind | None, words: str) -> None:
    logged = (more["logged"],) if "logged" in more else ()
    found = judged(reply, *logged, given=more.get("given"), fault=more.get("fault"))
    assert found.at is at
    assert words in f"{found.text} {found.why} {found.todo}"
    assert (found.todo is None) is (at is None)


def test_only_the_failing_hop_says_what_is_wrong() -> None:
    found = judged(Reply(502), REFUSED, fault=PORT)
    assert found.hop(HopKind.CONTAINER, "web-1").verdict is Verdict.WRONG
    assert found.hop(HopKind.CONTAINER, "web-1").why == "wrong port"
    assert found.hop(HopKind.ANSWER, "502") == judged(Reply(200)).hop(HopKind.ANSWER, "502")
