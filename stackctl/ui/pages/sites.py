"""The page Sites: every site in one row."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from stackctl.ui.base import Page, Ui
from stackctl.ui.views import sites as view
from stackctl.ui.views.words import Tone

FRESH_SECONDS = 5.0
PATIENCE_SECONDS = 0.6
"""A page is there within a second, with what was seen last if nothing newer is."""


def routes(ui: Ui) -> list[BaseRoute]:
    """Return the routes of the page."""

    async def show(request: Request) -> Response:
        query = view.Query.of(request.query_params)
        answer = await ui.status.current(fresh=FRESH_SECONDS, patience=PATIENCE_SECONDS)
        if answer is None:
            return ui.show(request, "looking.html.j2", here="/", title="Sites")
        if answer.error is not None:
            raise answer.error
        assert answer.value is not None  # else there is an error
        report = answer.value
        ui.tail.start()
        now, traffic = ui.context().now(), ui.tail.traffic
        covered = traffic.covers(now)
        within = view.within(covered)
        rows = [view.row_of(site, traffic.of(site.name, now) if covered else None, within) for site in report.sites]
        found = view.chosen(rows, query)
        page, pages = view.shown(found, query)
        return ui.show(
            request,
            "sites.html.j2",
            here="/",
            report=report,
            tiles=view.tiles(rows, report),
            alarms=view.alarms(report),
            rows=page,
            found=len(found),
            total=len(rows),
            pages=pages,
            query=query,
            sorts={name: text for name, (text, _) in view.SORTS.items()},
            states={Tone.BAD: "Broken", Tone.WARN: "Needs attention", Tone.QUIET: "In maintenance", Tone.OK: "Fine"},
            age=int(answer.age),
            within=within if covered else "",
        )

    return [Route("/", show)]


PAGE = Page("Sites", "/", routes)
