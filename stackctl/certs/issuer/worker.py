"""One job of the batch issuer: certbot in a forked child, and what it tells on the way.

A part of the batch issuer (see :mod:`stackctl.certs.issuer`); it is the only part that looks into
certbot, at public methods of its ACME client, and a certbot that has changed costs the look only.
"""

# ruff: noqa: ANN401, SLF001 - certbot's objects have no types here, and two of its members are private

from __future__ import annotations

import contextlib
import email.utils
import functools
import importlib
import os
import sys
import tempfile
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from stackctl.certs.issuer.merge import sync

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

UNBOUND = "urn:ietf:params:acme:error:externalAccountRequired"
NOTHING: dict[str, Any] = {"type": None, "detail": None, "retry_after": None}


def wrap(owner: Any, name: str, after: Callable[[Any, Any], None]) -> None:
    """Look at what a method returns. A certbot without it, or another result, costs the look only."""
    inner = getattr(owner, name, None)

    def outer(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = inner(self, *args, **kwargs)  # type: ignore[misc]
        with contextlib.suppress(Exception):
            after(self, result)
        return result

    if callable(inner):
        setattr(owner, name, functools.wraps(inner)(outer))


def persist(owner: Any, name: str) -> None:
    """Send a request again when the CA did not like its nonce; certbot does so once only.

    RFC 8555 (6.5) asks for it. A CA that refuses some good nonces would fail an order of ten
    requests in forty otherwise.
    """
    inner = getattr(owner, name, None)

    def outer(self: Any, *args: Any, **kwargs: Any) -> Any:
        for _ in range(3):
            try:
                return inner(self, *args, **kwargs)  # type: ignore[misc]
            except Exception as error:
                if not str(getattr(error, "typ", "")).endswith(":badNonce"):
                    raise
        return inner(self, *args, **kwargs)  # type: ignore[misc]

    if callable(inner):
        setattr(owner, name, functools.wraps(inner)(outer))


def wake_early(module: str, ready: Callable[[], bool]) -> None:
    """Cut short the second that certbot waits before it first asks the CA for a result.

    The CA is asked up to three times in that second, and once only where its answer has a
    Retry-After. Every later wait is certbot's own. Where the module looks different, all of them are.
    """
    unused = [0.1, 0.2, 0.3]

    def sleep(seconds: float) -> None:
        end = time.monotonic() + seconds
        with contextlib.suppress(Exception):
            while unused and seconds == 1:  # as written in certbot; a Retry-After is no whole number
                time.sleep(unused.pop(0))
                if ready():
                    return
        unused.clear()
        time.sleep(max(0.0, end - time.monotonic()))

    with contextlib.suppress(Exception):
        found: Any = importlib.import_module(module)
        if found.time is time:
            found.time = SimpleNamespace(**{**vars(time), "sleep": sleep})


class Watcher:
    """Reports the steps of an order, and keeps the CA's problems: certbot's exceptions do not."""

    def __init__(self, say: Callable[..., None], *, bound: bool = True) -> None:
        self.say = say
        self.bound = bound
        self.finalizing = 0.0
        self.problems: list[tuple[str, Any]] = []
        self.retry_after: str | None = None
        self.unanswered = 0

    def install(self) -> None:
        """Put it into certbot's ACME client."""
        with contextlib.suppress(Exception):
            acme: Any = importlib.import_module("acme.client")
            persist(acme.ClientNetwork, "post")
            self.peek = acme.ClientV2.poll
            wrap(acme.ClientV2, "new_order", self.ordered)
            wrap(acme.ClientV2, "answer_challenge", self.answered)
            wrap(acme.ClientV2, "external_account_required", self.asked_for_binding)
            wrap(acme.ClientV2, "begin_finalization", self.asked_to_finalize)
            wrap(acme.ClientV2, "poll", self.polled)
            wrap(importlib.import_module("requests").Session, "request", self.responded)
            wake_early("certbot._internal.auth_handler", self.validated)
            wake_early("acme.client", self.finalized)

    def ordered(self, client: Any, order: Any) -> None:
        """The CA has taken the order."""
        self.client, self.order = client, order.uri
        self.pending = [a for a in order.authorizations if a.body.status.name == "pending"]
        self.unanswered = len(self.pending)
        self.say("ordered")

    def asked_for_binding(self, _client: Any, required: Any) -> None:
        """The CA takes bound accounts only: certbot gives up without asking it."""
        if required and not self.bound:
            problem = SimpleNamespace(typ=UNBOUND, detail="the CA wants an external account binding", subproblems=None)
            self.problems.append(("", problem))

    def asked_to_finalize(self, _client: Any, _order: Any) -> None:
        """The CA was asked to make the certificate."""
        self.finalizing = time.monotonic()

    def answered(self, _client: Any, _challenge: Any) -> None:
        """The CA was told that a challenge is ready."""
        self.unanswered -= 1
        if not self.unanswered:
            self.say("challenged")

    def polled(self, _client: Any, result: Any) -> None:
        """The CA told how an authorization stands."""
        body = result[0].body
        if body.status.name == "invalid":
            self.problems += [(body.identifier.value, c.error) for c in body.challenges if c.error]

    def responded(self, _session: Any, response: Any) -> None:
        """The CA answered a request."""
        if response.status_code >= 400:
            self.retry_after = response.headers.get("Retry-After")

    def validated(self) -> bool:
        """Whether the CA is done with all challenges."""
        if len(self.pending) > 8:  # not worth the questions
            raise TimeoutError
        answers = [self.peek(self.client, authorization) for authorization in self.pending]
        waiting = [response for a, response in answers if a.body.status.name == "pending"]
        if any("Retry-After" in response.headers for response in waiting):
            raise TimeoutError
        return not waiting

    def finalized(self) -> bool:
        """Whether the CA is done with the order."""
        response = self.client._post_as_get(self.order)
        ended = response.json()["status"] in {"valid", "invalid"}
        if not ended and "Retry-After" in response.headers:
            raise TimeoutError
        return ended


def explain(error: BaseException | None, watcher: Watcher) -> dict[str, Any]:
    """The CA's own problem behind an exception, or else the exception's text."""
    problems = list(watcher.problems)
    result = {**NOTHING, "detail": str(error) or type(error).__name__}
    if result["detail"] == "TimeoutError" and watcher.finalizing:  # certbot's own says nothing else
        waited = round(time.monotonic() - watcher.finalizing)
        result["detail"] = f"the CA did not finish the order within {waited} s of being asked to"
    while error is not None and not problems:
        found = (error, getattr(error, "error", None))
        problems += [("", p) for p in found if isinstance(getattr(p, "typ", None), str)]
        error = error.__cause__ or error.__context__
    if problems:
        words = [(name, p.detail) for name, p in problems]
        for _, problem in problems:
            words += [(s.identifier.value if s.identifier else "", s.detail) for s in problem.subproblems or ()]
        texts = [f"{name}: {text}" if name else str(text) for name, text in words]
        result.update(type=problems[0][1].typ, detail="; ".join(texts))
    return {**result, "retry_after": _seconds(watcher.retry_after)}


def _seconds(retry_after: str | None) -> float | None:
    """A Retry-After header (seconds or a date) as seconds from now."""
    if not retry_after or retry_after.isdecimal():
        return float(retry_after) if retry_after else None
    with contextlib.suppress(ValueError, TypeError):
        return max(0.0, round(email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time()))
    return None


def work(argv: list[str], stage: Path, say: Callable[..., None]) -> None:
    """Run certbot in the staging directory; its prints go to a file there."""
    tempfile.tempdir = str(stage)
    fd = os.open(stage / "output", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    os.dup2(fd, 1)
    os.dup2(fd, 2)
    watcher = Watcher(say, bound="--config" in argv)
    watcher.install()
    own = [word for kind in ("config", "work", "logs") for word in (f"--{kind}-dir", str(stage / kind))]
    try:
        code = importlib.import_module("certbot.main").main([*argv, *own])
    except SystemExit as stop:
        code = stop.code
    except BaseException as error:  # noqa: BLE001 - whatever it was, somebody is to hear of it
        return say("result", ok=False, **explain(error, watcher))
    if code:
        sys.stdout.flush()
        sys.stderr.flush()
        words = (stage / "output").read_text(errors="replace").strip().splitlines() or [""]
        return say("result", ok=False, **{**NOTHING, "detail": code if isinstance(code, str) else words[-1]})
    for pattern in ("archive/*/*", "live/*", "renewal/*"):
        for path in (stage / "config").glob(pattern):
            sync(path)  # here, where many do it at once
    (stage / "done").touch()
    return say("result", ok=True)
