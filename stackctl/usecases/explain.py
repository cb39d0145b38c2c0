"""``stackctl explain``: the way of one request, and which link of it is broken."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from stackctl.diagnose.apps import AppFacts
from stackctl.diagnose.hops import Hop
from stackctl.diagnose.shown import kind_of
from stackctl.diagnose.trace import TraceFacts, judge_trace
from stackctl.engine.context import Context
from stackctl.engine.probe.trace import journey
from stackctl.errors import ExitCode
from stackctl.model.values import Domain
from stackctl.proxies.trace import LoggedError
from stackctl.usecases.converge import load, open_document
from stackctl.usecases.result import Result

_ERRORS = 5
"""How many of the proxy's errors are shown."""


def explain(context: Context, name: Domain, path: str) -> Result:
    """Follow a request for ``path`` of ``name`` from the published port to the app; it is really made."""
    loaded = load(context, open_document(context))
    gathered = journey(context, loaded.stack, loaded.project, name, path)
    facts = gathered.facts
    judged = judge_trace(facts)
    broken = judged.broken
    data = {
        "domain": name,
        "path": path,
        "whole": broken is None,
        "broken": _row(broken) if broken else None,
        "links": [_row(link) for link in (*judged.links, judged.http)],
        "status": facts.https.status,
        "location": facts.https.location,
        "http_status": facts.http.status,
        "http_location": facts.http.location,
        "certificate": _certificate(facts, facts.now),
        "containers": [row for app in facts.apps for row in _containers(app)],
        "log": [_error(error) for error in (*gathered.earlier, *facts.fresh)[-_ERRORS:]],
    }
    return Result("explain", data=data, found=ExitCode.OK if broken is None else ExitCode.FAILED)


def _row(link: Hop) -> dict[str, Any]:
    return {
        "link": link.step.value,
        "verdict": link.verdict.value,
        "text": link.text,
        "where": link.where,
        "why": link.why,
        "todo": link.todo,
    }


def _certificate(facts: TraceFacts, now: datetime) -> dict[str, Any] | None:
    """The one that was shown; None where none was."""
    shown = facts.https.certificate
    if shown is None:
        return None
    return {
        "issuer": shown.issuer,
        "not_after": shown.not_after.isoformat(),
        "days_left": shown.days_left(now),
        "names": list(shown.names),
        "served": kind_of(shown, facts.held),
    }


def _containers(app: AppFacts) -> list[dict[str, Any]]:
    return [
        {
            "container": one.name,
            "service": app.service,
            "state": one.state,
            "health": one.health,
            "networks": dict(one.networks),
            "port": app.port,
            "listens": None if one.listeners is None else [str(listener) for listener in one.listeners],
        }
        for one in app.containers
    ]


def _error(error: LoggedError) -> dict[str, Any]:
    return {
        "time": error.time,
        "level": error.level,
        "message": error.message,
        "request": error.request,
        "upstream": error.upstream,
    }
