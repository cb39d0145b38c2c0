"""Reads the key ``alerts``: who is informed of problems."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from stackctl.errors import InputError, StackfileError
from stackctl.model.alerts import Alerts, ping_url, receiver
from stackctl.stackfile.alert_keys import AlertsKeys
from stackctl.stackfile.document import Document, Path
from stackctl.stackfile.keys import KEY, has_variable

T = TypeVar("T")

_PATH: Path = (KEY, "alerts")


def read_alerts(doc: Document, keys: AlertsKeys | None) -> Alerts:
    """Return what the key says.

    Raises:
        StackfileError: a wrong or repeated URL, or neither a receiver nor a ping.
    """
    if keys is None:
        return Alerts()
    if not keys.to and keys.ping is None:
        where, hint = doc.where_of(_PATH), "write 'to' with the URLs of receivers, or remove the key"
        raise StackfileError("'alerts' has neither a receiver nor a ping", where=where, hint=hint)
    found = tuple(_checked(doc, (*_PATH, "to", n), receiver, text) for n, text in enumerate(keys.to))
    for n, one in enumerate(found):
        if one.id in {other.id for other in found[:n]}:
            where = doc.where_of((*_PATH, "to", n))
            raise StackfileError("this receiver is named twice", where=where, hint="remove one of the two lines")
    ping = None if keys.ping is None else _checked(doc, (*_PATH, "ping"), ping_url, keys.ping)
    return Alerts(found, ping, doc.where_of(_PATH))


def _checked(doc: Document, path: Path, parse: Callable[[str], T], text: str) -> T:
    """Return what ``parse`` makes of a URL; unlike errors about other values, this one does not quote it."""
    try:
        return parse(text)
    except InputError as error:
        hint = "set its variables in .env or in the environment" if has_variable(text) else error.hint
        raise StackfileError(error.message, where=doc.where_of(path), hint=hint) from None
