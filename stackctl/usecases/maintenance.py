"""``stackctl maintenance on`` and ``off``: answer every request of a site with 503, and stop doing so."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta

from stackctl.engine.context import Context
from stackctl.errors import HostError, InputError
from stackctl.model.page_values import moment
from stackctl.model.pages import Maintenance
from stackctl.model.values import Domain
from stackctl.stackfile.settings import Change
from stackctl.usecases.result import Result
from stackctl.usecases.set_keys import set_keys

_KEY = "maintenance"
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])\Z")
_FROM_NOW = re.compile(r"([1-9][0-9]{0,4})([mhd])\Z")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def maintenance_on(context: Context, domain: Domain, wanted: Maintenance, *, dry_run: bool = False) -> Result[None]:
    """Put a site into maintenance, or change one that it is in.

    Raises:
        InputError: no site has the name, its names are only redirected, or the page cannot be read.
    """
    if wanted.page is not None:
        try:
            context.directory.page(wanted.page.path)
        except HostError as error:
            raise InputError(
                error.message, field="page", hint="the path is relative to the stack's directory"
            ) from error
    keys: dict[str, object] = {}
    if wanted.message:
        keys["message"] = wanted.message
    if wanted.page is not None:
        keys["page"] = wanted.page.path
    if wanted.until is not None:
        keys["until"] = f"{wanted.until:%Y-%m-%dT%H:%M:%SZ}"
    if wanted.allow:
        keys["allow"] = [_written(str(network)) for network in wanted.allow]
    # The '$' of Compose's variables.
    change = Change(_KEY, json.dumps(keys, ensure_ascii=False).replace("$", "$$"))
    try:
        return set_keys(context, "maintenance on", domain, [change], issue=False, dry_run=dry_run)
    except InputError as error:
        if error.where == str(change):
            error.where = None
        raise


def maintenance_off(context: Context, domain: Domain, *, dry_run: bool = False) -> Result[None]:
    """End the maintenance of a site; one that is in none stays as it is.

    Raises:
        InputError: no site has the name.
    """
    return set_keys(context, "maintenance off", domain, [Change(_KEY)], issue=False, dry_run=dry_run)


def _written(network: str) -> str:
    """Return a network as the user writes one: a single address without its length."""
    return network.removesuffix("/32" if "." in network else "/128")


def end_of(text: str, now: datetime) -> datetime:
    """Return ``text`` as the time when a maintenance ends.

    It is a time of day (the next one, in the time zone of ``now``), a duration from now, or a date with a time.

    Raises:
        InputError: it is none of these, or has passed.
    """
    clock, distance = _CLOCK.match(text), _FROM_NOW.match(text)
    if clock:
        today = now.replace(hour=int(clock[1]), minute=int(clock[2]), second=0, microsecond=0)
        end = today if today > now else today + timedelta(days=1)
    elif distance:
        end = now + timedelta(**{_UNITS[distance[2]]: int(distance[1])})
    else:
        try:
            end = datetime.fromisoformat(text)
        except ValueError:
            hint = "write 18:00, 90m, 2h, or 2026-11-27T18:00"
            raise InputError(f"{text!r} is not a time", hint=hint) from None
        end = end if end.tzinfo else end.replace(tzinfo=now.tzinfo)
    there = moment(end.isoformat())
    if there <= now:
        raise InputError(f"{text!r} has passed", hint="write a time that is to come")
    return there
