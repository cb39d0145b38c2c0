"""The page Add: a form for a new site, whose plan is shown before anything is done."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TypeVar

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from stackctl.engine.context import Context
from stackctl.errors import InputError
from stackctl.model import endpoints, service_values, values
from stackctl.model.match_values import site_and_path
from stackctl.model.matching import EVERY_PATH
from stackctl.ui.base import Page, Ui
from stackctl.ui.changes import Change
from stackctl.ui.forms import text_of
from stackctl.ui.pages.site import address
from stackctl.usecases.add_app import AddApp, add_app
from stackctl.usecases.converge import load_current

T = TypeVar("T")

PATH = "/add"
_OPTIONS = ("service", "image", "port", "upstream")


def routes(ui: Ui) -> list[BaseRoute]:
    """Return the routes of the page."""

    def services(context: Context) -> list[str]:
        loaded = load_current(context)
        own = {loaded.stack.proxy.service, loaded.stack.certbot}
        return sorted(name for name in loaded.project.services if name not in own)

    async def show(request: Request) -> Response:
        return ui.show(request, "add.html.j2", here="/", services=await ui.look(services))

    return [Route(PATH, show)]


def _add(_ui: Ui, form: FormData) -> Change:
    """Read the form; one kind of server is chosen, and the fields of the others do not count."""
    kind = text_of(form, "kind")
    fields = {"image": ("image", "port"), "service": ("service", "port"), "outside": ("upstream",)}.get(kind)
    if fields is None:
        raise InputError("nothing answers for the site", hint="choose an image, a service, or a server outside Compose")
    given = {name: text_of(form, name) for name in fields if text_of(form, name)}
    if fields[0] not in given:
        raise InputError(f"{_WORDS[fields[0]]} is missing", hint="go back, and fill it in")
    name, path = site_and_path(text_of(form, "domain"))
    aliases = re.split(r"[\s,]+", text_of(form, "aliases")) if text_of(form, "aliases") else []
    env = text_of(form, "env").splitlines() if kind == "image" else []
    variables = [line.strip() for line in env if line.strip()]
    port = given.get("port")
    wanted = AddApp(
        domain=name,
        path=path or EVERY_PATH,
        aliases=tuple(values.site_domain(one) for one in aliases),
        service=_parsed(values.service_name, given.get("service")),
        image=_parsed(values.image, given.get("image")),
        port=_parsed(_port, port),
        upstream=_parsed(endpoints.upstream, given.get("upstream")),
        env=tuple(variables),
    )
    for one in variables:
        service_values.variable(one)
    return Change(
        f"Add {wanted}",
        ("add-app", str(wanted), *_arguments(given, aliases, variables)),
        lambda context, dry_run: add_app(context, wanted, dry_run=dry_run),
        address(name),
    )


_WORDS = {"image": "the image", "service": "the service", "upstream": "the address of the server"}


def _arguments(given: dict[str, str], aliases: list[str], variables: list[str]) -> Iterator[str]:
    """Yield the options of the command that the form stands for."""
    for alias in aliases:
        yield from ("--alias", alias)
    for name in _OPTIONS:
        if name in given:
            yield from (f"--{name}", given[name])
    for variable in variables:
        yield from ("--env", variable)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise InputError(f"{text!r} is not a port", hint="write a number such as 8000")
    return values.port(int(text[:9]))


def _parsed(parse: Callable[[str], T], text: str | None) -> T | None:
    return None if text is None else parse(text)


PAGE = Page("", PATH, routes, {"add": _add})
