"""Say what a foreign HAProxy serves, where ``adopt`` cannot take it over."""

from __future__ import annotations

from stackctl.adopt.haproxy.reading import Reading
from stackctl.adopt.proposal import Handling
from stackctl.engine.adopt.haproxy import read_old_haproxy
from stackctl.engine.context import Context
from stackctl.errors import InputError
from stackctl.model.project import Project, Service

_MOST = 30
"""The lines of each list that are shown."""


def refused(context: Context, project: Project, service: Service) -> InputError:
    """Return the error that names what the HAProxy of a service serves, line by line."""
    message = f"the service {service.name} runs HAProxy, which adopt does not take over; nothing was changed"
    try:
        shown = _shown(read_old_haproxy(context, project, service))
    except InputError as error:
        shown = [f"its configuration cannot be read: {error}"]
    first = "write its sites with 'stackctl init --proxy haproxy' and 'stackctl add-app' in another directory"
    return InputError(message, hint="\n    ".join([first, *shown]))


def _shown(reading: Reading) -> list[str]:
    lost = [one.line for one in reading.remarks if one.handling is Handling.UNSUPPORTED]
    replaced = [one.line for one in reading.remarks if one.handling is Handling.REPLACED]
    lists = {
        "it serves": [one.shown for one in reading.routes],
        "its certificates, each for 'stackctl cert import DOMAIN --cert FILE'": list(reading.certificates),
        "set by stackctl itself": replaced,
        "to write as keys of x-stackctl or in haproxy/custom": lost,
    }
    return [line for title, lines in lists.items() if lines for line in (f"{title}:", *_cut(lines))]


def _cut(lines: list[str]) -> list[str]:
    more = [f"  and {len(lines) - _MOST} more"] if len(lines) > _MOST else []
    return [*(f"  {line}" for line in lines[:_MOST]), *more]
