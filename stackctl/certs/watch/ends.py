"""When a certificate is due and when its end is near: shares of its own lifetime, so six days and ninety are alike."""

from __future__ import annotations

import datetime as dt

SHORT_LIFETIME = dt.timedelta(days=10)
"""Below this a certificate is due at half its life, else at a third (Let's Encrypt's integration guide)."""

_NEAR = (dt.timedelta(days=30), dt.timedelta(days=14), dt.timedelta(days=7))


def renewal_window(life: dt.timedelta) -> dt.timedelta:
    """Return how long before its end a certificate is to be renewed."""
    return life / 2 if life < SHORT_LIFETIME else life / 3


def late(life: dt.timedelta) -> dt.timedelta:
    """Return how long before its end a renewal is late: half of the time has passed in which it was due."""
    return renewal_window(life) / 2


def near_ends(life: dt.timedelta) -> tuple[dt.timedelta, ...]:
    """Return how long before its end to speak of one that nothing renews: 30, 14 and 7 days.

    Of a short life it is a third, a sixth and a twelfth.
    """
    return tuple(min(days, life / share) for days, share in zip(_NEAR, (3, 6, 12)))  # noqa: B905  (Python 3.9)
