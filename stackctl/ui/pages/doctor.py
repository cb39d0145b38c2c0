"""The page Doctor: what to do first, with its button, and every check."""

from __future__ import annotations

import shlex

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from stackctl.errors import InputError
from stackctl.ui.advice import KNOWN, change_of
from stackctl.ui.base import Page, Ui
from stackctl.ui.changes import Change
from stackctl.ui.forms import text_of
from stackctl.ui.snapshot import Snapshot
from stackctl.ui.views import doctor as view
from stackctl.usecases.doctor.doctor import DoctorReport, doctor

PATH = "/doctor"


def routes(ui: Ui) -> list[BaseRoute]:
    """Return the routes of the page."""
    checks: Snapshot[DoctorReport] = Snapshot(lambda: doctor(ui.context()).payload)
    ui.after_changes(checks.forget)

    async def show(request: Request) -> Response:
        if "again" in request.query_params:
            checks.start()
            return RedirectResponse(PATH, 303)
        if checks.last is None:
            checks.start()
        answer = checks.last
        if answer is not None and answer.error is not None:
            raise answer.error
        report = answer.value if answer is not None else None
        return ui.show(
            request,
            "doctor.html.j2",
            here=PATH,
            asking=checks.is_asking,
            stale=checks.is_stale,
            age=int(answer.age) if answer is not None else 0,
            report=report,
            todos=view.todos(report.sections, KNOWN) if report else (),
            elsewhere=view.elsewhere(report.sections) if report else (),
            passed=view.passed(report.sections) if report else 0,
            sections=view.examined(report.sections) if report else (),
        )

    return [Route(PATH, show)]


def _advice(_ui: Ui, form: FormData) -> Change:
    try:
        words = shlex.split(text_of(form, "command"))
    except ValueError as error:
        raise InputError("this is no command", hint="go back, and use the page's buttons") from error
    return change_of(words, PATH)


PAGE = Page("Doctor", PATH, routes, {"advice": _advice})
