"""Rate limits of CAs, as data.

Let's Encrypt's are those of https://letsencrypt.org/docs/rate-limits/ (2026-08-05) and
https://letsencrypt.org/docs/staging-environment/: buckets that refill one by one. A CA
that is not listed has no limits that stackctl knows of.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from stackctl.model.acme import LETSENCRYPT, LETSENCRYPT_STAGING


class Bucket(StrEnum):
    """What a limit counts."""

    ORDERS = "orders of this account"
    DOMAIN = "certificates of the registered domain"
    EXACT_SET = "certificates of exactly these names"
    FAILURES = "failed validations of the name"


@dataclass(frozen=True, slots=True)
class Limit:
    """``count`` at once; after that one more each ``refill``."""

    count: int
    refill: timedelta

    @classmethod
    def over(cls, count: int, period: timedelta) -> Limit:
        """``count`` in each ``period``."""
        return cls(count, period / count)


_WEEK, _THREE_HOURS, _HOUR = timedelta(days=7), timedelta(hours=3), timedelta(hours=1)

LIMITS: dict[str, dict[Bucket, Limit]] = {
    LETSENCRYPT: {
        Bucket.ORDERS: Limit.over(300, _THREE_HOURS),
        Bucket.DOMAIN: Limit.over(50, _WEEK),
        Bucket.EXACT_SET: Limit.over(5, _WEEK),
        Bucket.FAILURES: Limit.over(5, _HOUR),
    },
    LETSENCRYPT_STAGING: {
        Bucket.ORDERS: Limit.over(1500, _THREE_HOURS),
        Bucket.DOMAIN: Limit.over(30_000, _WEEK),
        Bucket.EXACT_SET: Limit.over(30_000, _WEEK),
        Bucket.FAILURES: Limit.over(200, _HOUR),
    },
}
"""By ACME directory."""

BACKOFF = (timedelta(minutes=1), timedelta(minutes=10), timedelta(minutes=100), timedelta(days=1))
"""How long an unattended run waits after the first, second, third and every later failure in a row."""
