"""The page Requests: what the proxy answers, live."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from stackctl.ui.base import Page, Ui
from stackctl.ui.stream import stream
from stackctl.ui.tail import Line
from stackctl.ui.views import requests as view

PATH = "/requests"


def routes(ui: Ui) -> list[BaseRoute]:
    """Return the routes of the page."""

    def entry_of(line: Line) -> view.Entry | None:
        return None if line.request is None else view.Entry(line.request, line.site)

    async def show(request: Request) -> Response:
        ui.tail.start()
        query = view.Query.of(request.query_params)
        events = ui.tail.lines.events
        every = [entry for event in events if (entry := entry_of(event.value)) is not None]
        wanted = [entry for entry in every if query.wants(entry)]
        return ui.show(
            request,
            "requests.html.j2",
            here=PATH,
            query=query,
            tiles=view.counts(every, query),
            tops=view.tops(wanted, query),
            rows=[view.row_of(entry) for entry in reversed(wanted[-view.ROWS :])],
            statuses=view.STATUSES,
            sites=sorted({entry.site for entry in every if entry.site}),
            after=events[-1].number if events else 0,
            since=every[0].request.time if every else None,
            problem=ui.tail.problem,
        )

    async def follow(request: Request) -> Response:
        query = view.Query.of(request.query_params)

        def html(line: Line) -> str | None:
            entry = entry_of(line)
            if entry is None or not query.wants(entry):
                return None
            return ui.html.render("request.html.j2", row=view.row_of(entry))

        return stream(request, ui.tail.lines, html)

    return [Route(PATH, show), Route(f"{PATH}/live", follow)]


PAGE = Page("Requests", PATH, routes)
