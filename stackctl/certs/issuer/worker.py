"""Run one job of the batch issuer: certbot in a forked child, with progress events.

A part of the batch issuer (see :mod:`stackctl.certs.issuer`). It is the only part that hooks into
certbot, at public methods of its ACME client; with a certbot whose internals differ only the progress is lost.
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
    """Call ``after`` with what a method returns; a missing method or another result is ignored."""
    inner = getattr(owner, name, None)

    def outer(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = inner(self, *args, **kwargs)  # type: ignore[misc]
        with contextlib.suppress(Exception):
            after(self, result)
        return result

    if callable(inner):
        setattr(owner, name, functools.wraps(inner)(outer))


def retry_bad_nonce(owner: Any, name: str) -> None:
    """Send a request again if the CA rejects its nonce; certbot does so only once.

    RFC 8555 (6.5) requires it. At a CA that rejects some good nonces one order of ten
    requests in forty would fail otherwise.
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
    """Shorten the second that certbot waits before it first polls the CA for a result.

    The CA is polled up to three times in that second, and only once if its answer has a
    Retry-After. Every later wait is certbot's own. If the module differs, all waits are.
    """
    unused = [0.1, 0.2, 0.3]

    def sleep(seconds: float) -> None:
        end = time.monotonic() + seconds
        with contextlib.suppress(Exception):
            while unused and seconds == 1:  # as written in certbot; a Retry-After is never a whole number
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
    """Reports the steps of an order, and records the CA's problems, which certbot's exceptions lack."""

    def __init__(self, say: Callable[..., None], *, bound: bool = True) -> None:
        self.say = say
        self.bound = bound
        self.finalizing = 0.0
        self.problems: list[tuple[str, Any]] = []
        self.retry_after: str | None = None
        self.unanswered = 0

    def install(self) -> None:
        """Install the hooks in certbot's ACME client."""
        with contextlib.suppress(Exception):
            acme: Any = importlib.import_module("acme.client")
            retry_bad_nonce(acme.ClientNetwork, "post")
            self.peek = acme.ClientV2.poll
            wrap(acme.ClientV2, "new_order", self.ordered)
            wrap(acme.ClientV2, "answer_challenge", self.answered)
            wrap(acme.ClientV2, "external_account_required", self.binding_checked)
            wrap(acme.ClientV2, "begin_finalization", self.finalization_requested)
            wrap(acme.ClientV2, "poll", self.polled)
            wrap(importlib.import_module("requests").Session, "request", self.responded)
            wake_early("certbot._internal.auth_handler", self.validated)
            wake_early("acme.client", self.finalized)

    def ordered(self, client: Any, order: Any) -> None:
        """Handle the CA's acceptance of the order."""
        self.client, self.order = client, order.uri
        self.pending = [a for a in order.authorizations if a.body.status.name == "pending"]
        self.unanswered = len(self.pending)
        self.say("ordered")

    def binding_checked(self, _client: Any, required: Any) -> None:
        """Record that the CA requires an external account binding: certbot gives up without a request."""
        if required and not self.bound:
            detail = "the CA requires an external account binding"
            self.problems.append(("", SimpleNamespace(typ=UNBOUND, detail=detail, subproblems=None)))

    def finalization_requested(self, _client: Any, _order: Any) -> None:
        """Record when finalization of the order was requested."""
        self.finalizing = time.monotonic()

    def answered(self, _client: Any, _challenge: Any) -> None:
        """Count a challenge that is reported to the CA as ready."""
        self.unanswered -= 1
        if not self.unanswered:
            self.say("challenged")

    def polled(self, _client: Any, result: Any) -> None:
        """Record the problems of an invalid authorization."""
        body = result[0].body
        if body.status.name == "invalid":
            self.problems += [(body.identifier.value, c.error) for c in body.challenges if c.error]

    def responded(self, _session: Any, response: Any) -> None:
        """Record the Retry-After of a response."""
        if response.status_code >= 400:
            self.retry_after = response.headers.get("Retry-After")

    def validated(self) -> bool:
        """Return whether the CA has validated all challenges."""
        if len(self.pending) > 8:  # too many requests for what they save
            raise TimeoutError
        answers = [self.peek(self.client, authorization) for authorization in self.pending]
        waiting = [response for a, response in answers if a.body.status.name == "pending"]
        if any("Retry-After" in response.headers for response in waiting):
            raise TimeoutError
        return not waiting

    def finalized(self) -> bool:
        """Return whether the CA has finalized the order."""
        response = self.client._post_as_get(self.order)
        ended = response.json()["status"] in {"valid", "invalid"}
        if not ended and "Retry-After" in response.headers:
            raise TimeoutError
        return ended


def failure_of(error: BaseException | None, watcher: Watcher) -> dict[str, Any]:
    """Return the CA's problem that caused an exception, or else the exception's text."""
    problems = list(watcher.problems)
    result = {**NOTHING, "detail": str(error) or type(error).__name__}
    if result["detail"] == "TimeoutError" and watcher.finalizing:  # certbot's own says nothing else
        waited = round(time.monotonic() - watcher.finalizing)
        result["detail"] = f"the CA did not finalize the order within {waited} s"
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
    """Return a Retry-After header (seconds or a date) as seconds from now."""
    if not retry_after or retry_after.isdecimal():
        return float(retry_after) if retry_after else None
    with contextlib.suppress(ValueError, TypeError):
        return max(0.0, round(email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time()))
    return None


def work(argv: list[str], stage: Path, say: Callable[..., None]) -> None:
    """Run certbot in the staging directory, with its output in a file there."""
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
    except BaseException as error:  # noqa: BLE001 - every failure must be reported
        return say("result", ok=False, **failure_of(error, watcher))
    if code:
        sys.stdout.flush()
        sys.stderr.flush()
        words = (stage / "output").read_text(errors="replace").strip().splitlines() or [""]
        return say("result", ok=False, **{**NOTHING, "detail": code if isinstance(code, str) else words[-1]})
    for pattern in ("archive/*/*", "live/*", "renewal/*"):
        for path in (stage / "config").glob(pattern):
            sync(path)  # in the children, which run in parallel
    (stage / "done").touch()
    return say("result", ok=True)
