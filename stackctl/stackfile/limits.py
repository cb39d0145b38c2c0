"""Reads the limits of ``x-stackctl``."""

from __future__ import annotations

from stackctl.errors import StackfileError
from stackctl.model.limits import CountedBy, Rate, rate
from stackctl.model.match_values import path_prefix
from stackctl.model.matching import EVERY_PATH
from stackctl.stackfile.document import Document, Path
from stackctl.stackfile.keys import checked
from stackctl.stackfile.limit_keys import RateLimit, RateLimitKeys
from stackctl.stackfile.tuning_keys import Tunable


def rates_of(doc: Document, path: Path, written: RateLimit) -> tuple[Rate, ...] | None:
    """Return the rates of the block at ``path``; None where it leaves them to what is around it.

    Raises:
        StackfileError: a value is wrong; with its place.
    """
    if written is None:
        return None
    if isinstance(written, RateLimitKeys):
        return (_rate(doc, (*path, "rate-limit"), written),)
    found = [_rate(doc, (*path, "rate-limit", index), one) for index, one in enumerate(written)]
    for index, one in enumerate(found):
        first = next((other for other in found[:index] if (other.paths, other.by) == (one.paths, one.by)), None)
        if first is not None and (first.seconds, first.requests) == (one.seconds, one.requests):
            raise StackfileError("this limit is written twice", where=one.where, hint=f"see {first.where}")
    return tuple(found)


def _rate(doc: Document, path: Path, keys: RateLimitKeys) -> Rate:
    requests, seconds = checked(doc, (*path, "requests"), rate, keys.requests)
    paths = [checked(doc, (*path, "paths", index), path_prefix, text) for index, text in enumerate(keys.paths)]
    return Rate(
        requests,
        seconds,
        requests if keys.burst is None else keys.burst,
        () if EVERY_PATH in paths else tuple(dict.fromkeys(paths)),
        CountedBy(keys.by),
        doc.where_of(path),
    )


def refuse_limits(doc: Document, path: Path, keys: Tunable) -> None:
    """Refuse limits of the block at ``path``, in which the proxy itself answers.

    Raises:
        StackfileError: with the place of the first.
    """
    for key, given in (("rate-limit", keys.rate_limit), ("connections", keys.connections)):
        if given:
            raise StackfileError(
                f"{key!r} applies to requests that an app gets",
                where=doc.where_of((*path, key)),
                hint="remove it: an answer of the proxy's own costs no more than a refusal",
            )
