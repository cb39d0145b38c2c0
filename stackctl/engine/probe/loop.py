"""Collect the facts that :mod:`stackctl.diagnose.loop` checks: the container, and the stamps of the renewal loop."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from stackctl.adapters.disk.files import host_errors, read_or_none
from stackctl.certs.loop import Failure, read_failure, state_digest
from stackctl.certs.renewal import KINDS
from stackctl.certs.shelf import only_imported
from stackctl.diagnose.loop import LoopFacts
from stackctl.engine.context import Context
from stackctl.model.layout import CHECKED, CLI_INI, FAILED, INTERVAL, SUCCEEDED, Place, lineage_file, renewal_file
from stackctl.model.second import with_seconds
from stackctl.model.stack import Stack
from stackctl.observed.containers import Deployment
from stackctl.times import read_seconds

_DEFAULT = timedelta(hours=12)
_VARIABLE = "RENEW_SECONDS"


def loop(context: Context, stack: Stack, containers: Deployment) -> LoopFacts:
    """Return the facts of the renewal loop."""
    container = containers.best(stack.certbot)
    seen = context.containers.inspect(container.id) if container else None
    left = _stamp(context, FAILED)
    failure = read_failure(left) if left else None
    return LoopFacts(
        service=stack.certbot,
        state=seen.state if seen else None,
        started=seen.started if seen else None,
        checked=read_seconds(_stamp(context, CHECKED)),
        interval=_interval(_stamp(context, INTERVAL), seen.environment.get(_VARIABLE, "") if seen else ""),
        now=context.now(),
        succeeded=read_seconds(_stamp(context, SUCCEEDED)),
        failure=failure,
        digests=_digests(context, failure) if failure else {},
        states=_states(context, failure) if failure else {},
        used=frozenset(site.lineage for site in with_seconds(stack.sites) if not only_imported(site)),
    )


def _digests(context: Context, failure: Failure) -> dict[str, str]:
    tree = context.directory.certbot_tree()
    found = {name: tree.read(lineage_file(name, "cert")) for name in failure.lineages}
    return {name: "" if pem is None else hashlib.sha256(pem).hexdigest() for name, pem in found.items()}


def _states(context: Context, failure: Failure) -> dict[str, str]:
    tree = context.directory.certbot_tree()
    ini = {CLI_INI: tree.read(CLI_INI)}
    found = {"": state_digest(ini)}
    for name in failure.lineages:
        kinds = {kind: lineage_file(name, kind) for kind in KINDS}
        files = {path: tree.read(path) for path in (renewal_file(name), *kinds.values())}
        links = tree.links(name) or dict.fromkeys(KINDS, "")  # where they cannot be seen they are taken for links
        plain = [path for kind, path in kinds.items() if files[path] is not None and links[kind] is None]
        found[name] = state_digest({**ini, **files}, plain)
    return found


def _interval(*texts: str) -> timedelta:
    """Return the first of the intervals that is a number of seconds."""
    whole = (text.strip() for text in texts)
    seconds = next((int(text) for text in whole if text.isascii() and text.isdigit() and len(text) < 9), None)
    return _DEFAULT if seconds is None else timedelta(seconds=seconds)


def _stamp(context: Context, at: Place) -> str:
    with host_errors():
        return (read_or_none(context.directory.root / at.path) or b"").decode("utf-8", "replace").strip()
