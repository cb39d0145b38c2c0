"""Renders the pages: every value is escaped, and no control character or change of direction reaches the browser."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from datetime import datetime

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from stackctl.assets import assets_root
from stackctl.ui.views import words
from stackctl.wording import clock, day, iso, moment, printable, span

FOLDER = "ui"


class Html:
    """The templates of the pages; ``shared`` are values that all of them have."""

    def __init__(self, shared: Mapping[str, object]) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(assets_root() / FOLDER / "templates"),
            undefined=StrictUndefined,
            autoescape=True,
            finalize=_shown,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters |= {
            "moment": moment,
            "clock": clock,
            "day": day,
            "iso": iso,
            "span": span,
            "count": words.count,
            "badge": words.badge,
            "shell": shlex.join,
        }
        self._environment.globals |= dict(shared)

    def render(self, template: str, **values: object) -> str:
        """Return a page, or a part of one."""
        return self._environment.get_template(template).render(**values)


def _shown(value: object) -> object:
    if isinstance(value, Markup):
        return value
    if isinstance(value, datetime):
        return moment(value)
    return printable(value) if isinstance(value, str) else value
