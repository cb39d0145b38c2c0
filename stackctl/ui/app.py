"""The application: all pages behind the guard."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from stackctl.assets import assets_root
from stackctl.certs.watch.exposition import CONTENT_TYPE
from stackctl.engine.context import Context, Report
from stackctl.errors import InputError, StackctlError
from stackctl.ui.base import WAIT_SECONDS, Page, Ui
from stackctl.ui.door import COOKIE
from stackctl.ui.guard import LOGIN, METRICS, STATIC, Guard, Rules
from stackctl.ui.html import FOLDER
from stackctl.ui.pages import add, certificates, confirm, doctor, history, requests, site, sites
from stackctl.usecases.metrics import metrics

PAGES: tuple[Page, ...] = (
    sites.PAGE,
    site.PAGE,
    add.PAGE,
    requests.PAGE,
    certificates.PAGE,
    history.PAGE,
    doctor.PAGE,
    confirm.PAGE,
)
"""The pages in the order of the menu."""


def new_ui(opened: Callable[[Report, str], Context], *, write: bool, wait: float = WAIT_SECONDS) -> Ui:
    """Return the page of one stack; ``opened`` returns a new context for a report and a command line."""
    return Ui(opened, write=write, pages=PAGES, wait=wait)


def _back(request: Request) -> str:
    """Return the address to go back to: that of the page whose form was sent, or of the page itself."""
    if request.method != "POST":
        return request.url.path
    page = urlsplit(request.headers.get("referer", ""))
    return page.path if page.netloc == request.headers["host"] and page.path.startswith("/") else "/"


def application(ui: Ui, seen: Callable[[], None]) -> ASGIApp:
    """Return the application; it calls ``seen`` for each request of the user."""

    def refused(request: Request, code: int, text: str, hint: str) -> Response:
        return ui.show_alone("refused.html.j2", code=code, text=text, hint=hint, request=request)

    def failed(request: Request, error: Exception) -> Response:
        assert isinstance(error, StackctlError)  # it is registered for these
        code, back = 400 if isinstance(error, InputError) else 409, _back(request)
        return ui.show(request, "failed.html.j2", code=code, error=error, back=back)

    def missing(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # the same
        return refused(request, error.status_code, "There is no such page", "Use the menu, or go to the list of sites.")

    def broken(request: Request, error: Exception) -> Response:
        text = f"internal error: {type(error).__name__}: {error}"
        return refused(request, 500, "The page has a fault", f"{text}. Live sites are not affected.")

    async def login(request: Request) -> Response:
        cookie = ui.door.open(request.query_params.get("t", ""))
        if cookie is None:
            hint = "Start 'stackctl ui' again: it prints a new link."
            return refused(request, 403, "This link was used before, or is another one", hint)
        response = RedirectResponse("/", 303)
        response.set_cookie(COOKIE, cookie, path="/", httponly=True, samesite="strict")
        return response

    def icon(_request: Request) -> Response:
        return RedirectResponse("/static/icon.svg", 308)

    async def measured(_request: Request) -> Response:
        text = await ui.look(lambda context: metrics(context).payload.text)
        return Response(text, headers={"Content-Type": CONTENT_TYPE})

    def is_open(path: str) -> bool:
        return path == LOGIN or path.startswith(STATIC) or (ui.open_metrics and path == METRICS)

    own: list[BaseRoute] = [
        Route(LOGIN, login),
        Route("/favicon.ico", icon),
        Route(METRICS, measured),
        Mount(STATIC.rstrip("/"), StaticFiles(directory=assets_root() / FOLDER / "static")),
    ]
    app = Starlette(
        routes=[*own, *(route for page in ui.pages for route in page.routes(ui))],
        exception_handlers={StackctlError: failed, HTTPException: missing, Exception: broken},
    )
    return Guard(app, Rules(ui.door, ui.write, is_open), refused, seen)
