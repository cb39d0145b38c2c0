"""The page Changes: the recorded states, the difference of any two, and the way back."""

from __future__ import annotations

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from stackctl.errors import InputError
from stackctl.ui.base import Page, Ui
from stackctl.ui.changes import FROM_PAGE, Change
from stackctl.ui.forms import text_of
from stackctl.ui.views import history as view
from stackctl.usecases.history import difference, history
from stackctl.usecases.rollback import rollback

PATH = "/changes"


def routes(ui: Ui) -> list[BaseRoute]:
    """Return the routes of the page."""

    async def rows() -> tuple[list[view.ChangeRow], tuple[str, ...]]:
        result = await ui.look(history)
        return view.rows(result.payload.entries, ui.context().now(), FROM_PAGE), result.notes

    async def show(request: Request) -> Response:
        found, notes = await rows()
        return ui.show(request, "changes.html.j2", here=PATH, rows=found, notes=notes)

    async def compare(request: Request) -> Response:
        before = request.query_params.get("before", "")
        first, second = _number(before) if before else None, _number(request.query_params.get("after", ""))
        found, _ = await rows()
        report = await ui.look(lambda context: difference(context, first, second))
        entry = next(row for row in found if row.number == second)
        is_own = entry.before == first
        return ui.show(request, "change.html.j2", here=PATH, report=report, entry=entry, is_own=is_own, rows=found)

    return [Route(PATH, show), Route(f"{PATH}/compare", compare)]


def _number(text: str) -> int:
    """Return the number of an entry.

    Raises:
        InputError: it is none.
    """
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 10 and int(text)):
        raise InputError(f"{text!r} is no number of an entry", hint="the page Changes lists them")
    return int(text)


def _rollback(_ui: Ui, form: FormData) -> Change:
    number = _number(text_of(form, "number"))
    return Change(
        f"Roll back to entry {number}",
        ("rollback", str(number)),
        lambda context, dry_run: rollback(context, number, dry_run=dry_run),
        PATH,
    )


PAGE = Page("Changes", PATH, routes, {"rollback": _rollback})
