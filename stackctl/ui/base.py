"""What all pages share: the stack, its state, the door, the changes, and how a page is rendered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute

from stackctl import __version__
from stackctl.adapters.disk.lock import last_holder
from stackctl.engine.context import Context, Report
from stackctl.model.layout import LOCK
from stackctl.ui.changes import Change, Desk, Silent
from stackctl.ui.door import TOKEN, Door
from stackctl.ui.html import Html
from stackctl.ui.snapshot import Snapshot
from stackctl.ui.tail import Tail
from stackctl.usecases.status import StatusReport, status

T = TypeVar("T")

WAIT_SECONDS = 60.0
"""How long a change waits for another command on this stack."""

LOOKING = "ui"
"""The words of the command that only looks."""


@dataclass(frozen=True)
class Page:
    """A page of the menu.

    Attributes:
        title: its name in the menu; empty for one that is not in it.
        path: its address.
        routes: returns its routes.
        changes: the changes that its buttons request, by the last word of the form's address ``/change/KIND``: each
            reads the form, and raises an InputError for what is wrong in it.
    """

    title: str
    path: str
    routes: Callable[[Ui], list[BaseRoute]]
    changes: Mapping[str, Callable[[Ui, FormData], Change]] = field(default_factory=dict)


class Ui:
    """The page of one stack.

    ``opened`` returns a new context for a report and a command line, as each command has one of its own. With
    ``open_metrics`` any program on this host may read the metrics, as Prometheus has no session.
    """

    def __init__(
        self,
        opened: Callable[[Report, str], Context],
        *,
        write: bool,
        pages: tuple[Page, ...],
        wait: float = WAIT_SECONDS,
    ) -> None:
        self._opened = opened
        self.write = write
        self.open_metrics = False
        self.pages = pages
        self.door = Door()
        shared = {
            "menu": [page for page in pages if page.title],
            "paths": {page.path for page in pages},
            "write": write,
            "token_field": TOKEN,
            "csrf_token": self.door.token,
            "version": __version__,
        }
        self.html = Html(shared)
        self.desk = Desk(opened, partial(self._step, "step.html.j2"), self._changed, wait)
        self.status: Snapshot[StatusReport] = Snapshot(lambda: status(self.context()).payload)
        self.tail = Tail(self.context)
        self._forgotten: list[Callable[[], None]] = [self.status.forget, self.tail.forget]

    def context(self) -> Context:
        """Return a context to look with."""
        return self._opened(Silent(), LOOKING)

    async def look(self, usecase: Callable[[Context], T]) -> T:
        """Return what a use case returns, which runs in a thread.

        Raises:
            StackctlError: as the use case does; it is shown as a page of its own.
        """
        return await run_in_threadpool(lambda: usecase(self.context()))

    def after_changes(self, forget: Callable[[], None]) -> None:
        """Call ``forget`` after each change that the page made."""
        self._forgotten.append(forget)

    def show(self, request: Request, template: str, *, code: int = 200, here: str = "", **values: object) -> Response:
        """Return a page; ``here`` is the address of its entry in the menu."""
        context = self.context()
        holder = last_holder(context.directory.root / LOCK, context.now())
        text = self.html.render(
            template,
            request=request,
            here=here,
            now=context.now(),
            stack=context.directory.root.name,
            root=str(context.directory.root),
            holder=holder if holder is not None and holder.alive else None,
            running=self.desk.running,
            **values,
        )
        return HTMLResponse(text, code)

    def show_alone(self, template: str, *, code: int, **values: object) -> Response:
        """Return a page that has nothing of the stack."""
        return HTMLResponse(self.html.render(template, code=code, **values), code)

    def _step(self, template: str, state: str, number: int, text: str) -> str:
        return self.html.render(template, state=state, number=number, text=text)

    def _changed(self) -> None:
        for forget in self._forgotten:
            forget()
