"""The certbot command where the batch issuer cannot work: when it is run again, and what it complains of."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from stackctl.certs.issuer import single

# What certbot 5.5 prints, the CA's words and names changed.
NONCE = """\
Saving debug log to /var/log/letsencrypt/letsencrypt.log
Requesting a certificate for one.example.com
An unexpected error occurred:
JWS has an invalid anti-replay nonce: W2T_vHy1hI77PaBMQ7r3yg
Ask for help or search for solutions at https://community.letsencrypt.org. See the logfile for more details.
"""
BUSY = "Another instance of Certbot is already running.\nAsk for help or search for solutions at https://x.\n"
CHALLENGE = """\
Certbot failed to authenticate some domains (authenticator: webroot). The Certificate Authority reported these problems:
  Domain: one.example.com
  Type:   dns
  Detail: no such name: one.example.com
  Domain: two.example.com
  Type:   dns
  Detail: no such name: two.example.com

Some challenges have failed.
Ask for help or search for solutions at https://community.letsencrypt.org.
"""


def runs(*ends: tuple[int, str]) -> tuple[Callable[[], tuple[int, str]], Iterator[tuple[int, str]]]:
    left = iter(ends)
    return lambda: next(left), left


def unsaid(text: str) -> None:
    raise AssertionError(text)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr("stackctl.certs.issuer.single.time.sleep", slept.append)
    return slept


@pytest.mark.parametrize("output", [NONCE, "urn:ietf:params:acme:error:badNonce :: no words\n"])
def test_a_refused_nonce_is_no_answer(output: str, waits: list[float]) -> None:
    run, left = runs((1, output), (1, output), (0, "fine"))
    assert single.retry_certbot(run, 60, unsaid) == (0, "fine")
    assert list(left) == []
    assert waits == []


def test_a_ca_that_refuses_every_nonce_is_given_up() -> None:
    run, left = runs(*[(1, NONCE)] * 5)
    assert single.retry_certbot(run, 60, unsaid) == (1, NONCE)
    assert len(list(left)) == 1


def test_another_certbot_is_waited_for(waits: list[float]) -> None:
    run, _ = runs((1, BUSY), (1, NONCE), (1, BUSY), (0, ""))
    said: list[str] = []
    assert single.retry_certbot(run, 60, said.append) == (0, "")
    assert waits == [1, 1]
    assert said == ["another certbot is running: waiting for it to end"]


def test_another_certbot_that_does_not_end_is_not_waited_for_longer(waits: list[float]) -> None:
    run, _ = runs((1, BUSY))
    assert single.retry_certbot(run, 0, unsaid) == (1, BUSY)
    assert waits == []


@pytest.mark.parametrize("end", [(1, CHALLENGE), (0, NONCE), (0, BUSY), (2, "certbot: error: no such option")])
def test_every_other_end_is_the_end(end: tuple[int, str]) -> None:
    run, _ = runs(end)
    assert single.retry_certbot(run, 60, unsaid) == end


@pytest.mark.parametrize(
    ("output", "problem", "words"),
    [
        (CHALLENGE, "dns", "no such name: one.example.com; no such name: two.example.com"),
        (NONCE, None, "JWS has an invalid anti-replay nonce: W2T_vHy1hI77PaBMQ7r3yg"),
        ("urn:ietf:params:acme:error:rateLimited :: slow down\n", "rateLimited", None),
        ("certbot: error: unrecognized arguments: --x\n\n", None, "certbot: error: unrecognized arguments: --x"),
        ("", None, ""),
    ],
)
def test_the_complaint_is_the_words_of_the_ca(output: str, problem: str | None, words: str | None) -> None:
    urn = f"urn:ietf:params:acme:error:{problem}" if problem else None
    assert single.problem_in(output) == (urn, output.strip() if words is None else words)
