"""Read what the program in the certbot container leaves of its last look: whether alerts arrive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from stackctl.certs.watch.state import loaded
from stackctl.engine.context import Context
from stackctl.model.layout import WATCH_STATE


@dataclass(frozen=True, slots=True)
class FailingReceiver:
    """A receiver that did not take the last message; its label holds no credentials."""

    label: str
    since: datetime
    reason: str


def last_look(context: Context) -> datetime | None:
    """Return when the program last ended a look; None if it never did, or this user may not see it."""
    at = loaded(context.directory.root / WATCH_STATE.path)["at"]
    return None if at is None else datetime.fromtimestamp(at, UTC)


def receivers_failing(context: Context) -> Sequence[FailingReceiver]:
    """Return the receivers that did not take the last message."""
    failing = loaded(context.directory.root / WATCH_STATE.path)["failing"]
    return [
        FailingReceiver(one["label"], datetime.fromtimestamp(one["since"], UTC), one["reason"])
        for one in failing.values()
    ]
