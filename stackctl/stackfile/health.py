"""Reads the key ``health``: how a server is asked, and whether the proxy repeats it."""

from __future__ import annotations

from collections.abc import Sequence

from stackctl.errors import InputError, StackfileError
from stackctl.model import health, values
from stackctl.model.backends import Server, Speaks
from stackctl.model.health import ActiveCheck, HealthCheck
from stackctl.stackfile.document import Document, Path
from stackctl.stackfile.health_keys import HealthKeys
from stackctl.stackfile.keys import checked

_ACTIVE = ("interval", "rise", "fall")


def health_check(doc: Document, path: Path, keys: HealthKeys) -> HealthCheck:
    """Return the request of the block ``health`` at ``path``.

    Raises:
        StackfileError: a wrong value.
    """
    return HealthCheck(
        checked(doc, (*path, "path"), values.request_path, keys.path),
        checked(doc, (*path, "status"), values.statuses, str(keys.status)),
        checked(doc, (*path, "timeout"), values.seconds, keys.timeout),
    )


def active_check(
    doc: Document, path: Path, keys: HealthKeys, servers: Sequence[Server], *, deploys: bool
) -> ActiveCheck | None:
    """Return how the proxy asks the ``servers`` of a route all the time; None if only their deploys do.

    ``deploys`` is whether the block is that of a service, which ``health`` may be for alone.

    Raises:
        StackfileError: a wrong value, or a server that cannot be asked.
    """
    check = health_check(doc, path, keys)
    given = [key for key in _ACTIVE if getattr(keys, key) is not None]
    if deploys and not given:
        return None
    every = health.EVERY_SECONDS
    if keys.interval is not None:
        every = checked(doc, (*path, "interval"), _interval, keys.interval)
    if check.timeout > every:
        raise StackfileError(
            f"a request of {keys.timeout} is not over when the next one is due, after {every} s",
            where=doc.where_of((*path, "timeout")),
            hint="write a longer 'interval', or a shorter 'timeout'",
        )
    if any(server.speaks is Speaks.GRPC for server in servers):
        raise StackfileError(
            "the proxy asks over HTTP, and a gRPC server answers only gRPC",
            where=doc.where_of((*path, given[0]) if given else path),
            hint="give the service a 'healthcheck' of Compose's, by which deploys wait",
        )
    return ActiveCheck(check, every, keys.rise or health.RISE, keys.fall or health.FALL)


def _interval(text: str) -> int:
    found = values.seconds(text)
    if found < 1 or found != int(found):
        raise InputError(f"{text!r} is not a whole number of seconds", hint="write one, such as 5s")
    return int(found)
