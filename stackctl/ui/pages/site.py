"""The page of one site: the trace of a request, its routes, its certificate, and what can be done with it."""

from __future__ import annotations

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from stackctl.errors import InputError
from stackctl.model import page_values
from stackctl.model.fields import Request as Traced
from stackctl.model.pages import Maintenance
from stackctl.model.values import Domain, site_domain, web_address
from stackctl.ui.base import Page, Ui
from stackctl.ui.changes import Change
from stackctl.ui.forms import text_of
from stackctl.ui.pages.sites import FRESH_SECONDS, PATIENCE_SECONDS
from stackctl.ui.snapshot import Snapshot
from stackctl.ui.stream import stream
from stackctl.ui.tail import Line
from stackctl.ui.views import sites as view
from stackctl.usecases.deploy import DeployOptions, deploy
from stackctl.usecases.explain import ExplainReport, explain
from stackctl.usecases.maintenance import end_of, maintenance_off, maintenance_on
from stackctl.usecases.remove_app import remove_app
from stackctl.usecases.status import SiteStatus

_TRACE_SECONDS = 30.0
"""How long a trace is shown again: each one sends a request to the app."""

_ANY = "any"
"""A name that a wildcard is for."""

_LINES = 300
"""How many lines of the log are shown at first."""

_TRACES = 200
"""How many traces are kept."""


def address(name: str) -> str:
    """Return the address of a site's page."""
    return f"/sites/{name}"


def routes(ui: Ui) -> list[BaseRoute]:
    """Return the routes of the page."""
    traces = _Traces(ui)
    ui.after_changes(traces.forget)

    async def show(request: Request) -> Response:
        name = site_domain(request.path_params["name"])
        answer = await ui.status.current(fresh=FRESH_SECONDS, patience=PATIENCE_SECONDS)
        if answer is None:
            return ui.show(request, "looking.html.j2", here="/", title=name)
        if answer.error is not None:
            raise answer.error
        assert answer.value is not None  # else there is an error
        site = _of(answer.value.sites, name)
        if site.name != name:
            return RedirectResponse(address(site.name), 303)
        at = request.query_params.get("at", "").strip() or f"{name.replace('*', _ANY)}/"
        trace = traces.of(at)
        if "again" in request.query_params:
            trace.forget()
        way = await trace.current(fresh=_TRACE_SECONDS, patience=PATIENCE_SECONDS)
        ui.tail.start()
        events = ui.tail.lines.events
        known = ui.tail.known
        lines = [event.value for event in events if known is not None and known.is_about(event.value, site.name)]
        return ui.show(
            request,
            "site.html.j2",
            here="/",
            site=site,
            row=view.row_of(site),
            at=at,
            way=way,
            asking=trace.is_asking,
            lines=lines[-_LINES:],
            after=events[-1].number if events else 0,
        )

    async def log(request: Request) -> Response:
        name = site_domain(request.path_params["name"])

        def html(line: Line) -> str | None:
            known = ui.tail.known
            return ui.html.render("line.html.j2", line=line) if known and known.is_about(line, name) else None

        return stream(request, ui.tail.lines, html)

    return [Route("/sites/{name}", show), Route("/sites/{name}/log", log)]


def _of(sites: tuple[SiteStatus, ...], name: Domain) -> SiteStatus:
    found = next((site for site in sites if name in {site.name, *site.aliases}), None)
    if found is None:
        raise InputError(f"{name} is not routed by this stack", hint="the page Sites lists the names that are")
    return found


class _Traces:
    """The last trace of each request that was looked at."""

    def __init__(self, ui: Ui) -> None:
        self._ui = ui
        self._kept: dict[tuple[Domain, str], Snapshot[ExplainReport]] = {}

    def of(self, at: str) -> Snapshot[ExplainReport]:
        """Return the trace of a request to an address.

        Raises:
            InputError: it is no address.
        """
        key = name, target = web_address(at)
        if key not in self._kept:
            while len(self._kept) >= _TRACES:
                self._kept.pop(next(iter(self._kept)))
            sent = Traced("GET", target)
            self._kept[key] = Snapshot(lambda: explain(self._ui.context(), name, sent).payload)
        return self._kept[key]

    def forget(self) -> None:
        """Mark all as old."""
        for one in tuple(self._kept.values()):
            one.forget()


def _deploy(_ui: Ui, form: FormData) -> Change:
    name = text_of(form, "name")
    beyond = "A newer version of the image is pulled first; if there is one, its containers replace the old ones."
    return Change(
        f"Deploy {name}",
        ("deploy", name),
        lambda context, dry_run: deploy(context, name, DeployOptions(), dry_run=dry_run),
        address(text_of(form, "site")),
        beyond,
    )


def _maintenance_on(ui: Ui, form: FormData) -> Change:
    domain, message, until = site_domain(text_of(form, "name")), text_of(form, "message"), text_of(form, "until")
    context = ui.context()
    wanted = Maintenance(
        message=page_values.message(message) if message else "",
        until=end_of(until, context.now().astimezone()) if until else None,
    )
    options = [*(("--message", message) if message else ()), *(("--until", until) if until else ())]
    return Change(
        f"Put {domain} into maintenance",
        ("maintenance", "on", domain, *options),
        lambda context, dry_run: maintenance_on(context, domain, wanted, dry_run=dry_run),
        address(domain),
    )


def _maintenance_off(_ui: Ui, form: FormData) -> Change:
    domain = site_domain(text_of(form, "name"))
    return Change(
        f"Serve {domain} again",
        ("maintenance", "off", domain),
        lambda context, dry_run: maintenance_off(context, domain, dry_run=dry_run),
        address(domain),
    )


def _remove(_ui: Ui, form: FormData) -> Change:
    domain = site_domain(text_of(form, "name"))
    keep = bool(text_of(form, "keep-service"))
    return Change(
        f"Remove {domain}",
        ("remove-app", domain, *(("--keep-service",) if keep else ())),
        lambda context, dry_run: remove_app(context, domain, keep_service=keep, dry_run=dry_run),
    )


PAGE = Page(
    "",
    "/sites",
    routes,
    {"deploy": _deploy, "maintenance-on": _maintenance_on, "maintenance-off": _maintenance_off, "remove-app": _remove},
)
