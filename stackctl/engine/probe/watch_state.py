"""Read what the program in the certbot container leaves of its last look: whether alerts arrive."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from stackctl.certs.watch.state import loaded
from stackctl.diagnose.alerts import AlertFacts, FailingReceiver
from stackctl.diagnose.loop import LoopFacts
from stackctl.engine.context import Context
from stackctl.model.layout import METRICS, WATCH, WATCH_STATE
from stackctl.model.project import Project
from stackctl.model.stack import Stack


def receivers_failing(context: Context) -> Sequence[FailingReceiver]:
    """Return the receivers that did not take the last message; none if this user may not see it."""
    failing = loaded(context.directory.root / WATCH_STATE.path)["failing"]
    return [
        FailingReceiver(one["label"], datetime.fromtimestamp(one["since"], UTC), one["reason"])
        for one in failing.values()
    ]


def alert_facts(context: Context, stack: Stack, project: Project, renewals: LoopFacts) -> AlertFacts:
    """Return the facts that :mod:`stackctl.diagnose.alerts` checks; ``renewals`` are those of the loop beside it."""
    at = loaded(context.directory.root / WATCH_STATE.path)["at"]
    targets = {mount.target for mount in project.services[stack.certbot].mounts}
    return AlertFacts(
        service=stack.certbot,
        receivers=len(stack.alerts.receivers),
        started=renewals.believed(renewals.started),
        looked=None if at is None else datetime.fromtimestamp(at, UTC),
        failing=receivers_failing(context),
        mounted={METRICS.mount, WATCH.mount} <= targets,
        now=renewals.now,
    )
