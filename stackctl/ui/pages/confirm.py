"""From a button to a change: its plan, the confirmation, and its steps while it is applied."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from stackctl.errors import InputError
from stackctl.ui.base import Page, Ui
from stackctl.ui.changes import Change, Silent
from stackctl.ui.stream import stream


def routes(ui: Ui) -> list[BaseRoute]:
    """Return the routes of the page."""
    kinds = {kind: read for page in ui.pages for kind, read in page.changes.items()}

    async def plan(request: Request) -> Response:
        kind = request.path_params["kind"]
        if kind not in kinds:
            raise InputError("the page has no such change", hint="go back, and use its buttons")
        async with request.form() as form:
            change = kinds[kind](ui, form)
        return await _planned(change)

    async def _planned(change: Change) -> Response:
        draft = await run_in_threadpool(ui.desk.plan, change, Silent())
        return RedirectResponse(f"/plans/{draft.id}", 303)

    async def again(request: Request) -> Response:
        return await _planned(ui.desk.drafts[request.path_params["id"]].change)

    async def draft(request: Request) -> Response:
        return ui.show(request, "plan.html.j2", draft=ui.desk.drafts[request.path_params["id"]])

    async def apply(request: Request) -> Response:
        job = ui.desk.apply(ui.desk.drafts[request.path_params["id"]])
        return RedirectResponse(f"/jobs/{job.id}?plan={request.path_params['id']}", 303)

    async def job(request: Request) -> Response:
        found = ui.desk.jobs[request.path_params["id"]]
        return ui.show(request, "job.html.j2", job=found, plan=request.query_params.get("plan", ""))

    async def steps(request: Request) -> Response:
        return stream(request, ui.desk.jobs[request.path_params["id"]].feed, lambda html: html)

    return [
        Route("/change/{kind}", plan, methods=["POST"]),
        Route("/plans/{id}", draft),
        Route("/plans/{id}/again", again, methods=["POST"]),
        Route("/plans/{id}/apply", apply, methods=["POST"]),
        Route("/jobs/{id}", job),
        Route("/jobs/{id}/steps", steps),
    ]


PAGE = Page("", "/change", routes)
