"""``stackctl alerts test`` and ``alerts send``: try receivers, and reach those that only the host can."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from stackctl.adapters.disk.files import host_errors, make_folder, write_whole
from stackctl.adapters.notify import notify
from stackctl.certs.watch.judge import Problem
from stackctl.certs.watch.news import as_sent, check, news
from stackctl.certs.watch.state import loaded
from stackctl.certs.watch_files import watch_files
from stackctl.engine.context import Context
from stackctl.errors import EngineError, ExitCode, InputError
from stackctl.model.alerts import APPRISE, AlertReceiver
from stackctl.model.layout import ALERTS_SENT, DIRECTORIES, STATE, WATCH_SCRIPT, WATCH_SETTINGS, WATCH_STATE
from stackctl.usecases.converge import Loaded, load_current
from stackctl.usecases.result import Result


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A receiver without its credentials, and why it did not take a message; None if it did."""

    receiver: str
    problem: str | None


@dataclass(frozen=True, slots=True)
class AlertsReport:
    """The messages that were sent."""

    sent: tuple[SentMessage, ...]


def try_receivers(context: Context) -> Result[AlertsReport]:
    """Send each receiver a message: from the certbot container, or by Apprise from here.

    Raises:
        InputError: there is no receiver, or the container does not know them yet.
        EngineError: the container does not run.
    """
    loaded_stack = load_current(context)
    receivers = _receivers(loaded_stack)
    sent = list(_from_container(context, loaded_stack)) if any(one.kind != APPRISE for one in receivers) else []
    message = check(loaded_stack.project.name)
    here = (one for one in receivers if one.kind == APPRISE)
    sent += [SentMessage(one.label, notify(one.url, message.title, message.text)) for one in here]
    return _report("alerts test", sent)


def send(context: Context) -> Result[AlertsReport]:
    """Send the receivers that only Apprise reaches what they do not know yet of the last look of the container.

    Raises:
        InputError: there is no such receiver.
    """
    loaded_stack = load_current(context)
    receivers = [one for one in _receivers(loaded_stack) if one.kind == APPRISE]
    if not receivers:
        raise InputError(
            "no receiver needs this command: the certbot container reaches all of them",
            hint="see 'stackctl alerts test'",
        )
    last = loaded(context.directory.root / WATCH_STATE.path)
    problems = [Problem(*row) for row in last["problems"]]
    file = context.directory.root / ALERTS_SENT
    known = {one.id: loaded(file)["sent"].get(one.id, {}) for one in receivers}
    sent = []
    for one in receivers:
        message = news(loaded_stack.project.name, known[one.id], problems)
        if message is None:
            continue
        problem = notify(one.url, message.title, message.text)
        sent.append(SentMessage(one.label, problem))
        if problem is None:
            known[one.id] = as_sent(problems)
            with host_errors():
                make_folder(context.directory.root / STATE, DIRECTORIES[STATE])
                write_whole(file, json.dumps({**last, "at": 0.0, "sent": known}).encode(), 0o600)
    return _report("alerts send", sent)


def _receivers(one: Loaded) -> tuple[AlertReceiver, ...]:
    receivers = one.stack.alerts.receivers
    if not receivers:
        hint = "write 'alerts: {to: [URL]}' below x-stackctl, then run 'stackctl up'"
        raise InputError("there is no receiver of alerts", hint=hint)
    return receivers


def _from_container(context: Context, one: Loaded) -> Iterator[SentMessage]:
    wanted = watch_files(one.stack, one.project.name)
    if context.directory.watch_files().get(WATCH_SETTINGS.path) != wanted[WATCH_SETTINGS.path]:
        raise InputError("the receivers of the Compose file are not those in use", hint="run 'stackctl up' first")
    running = context.orchestrator.containers(one.project.name).running(one.stack.certbot)
    if running is None:
        raise EngineError(f"the container of {one.stack.certbot} does not run", hint="run 'stackctl up'")
    said = context.containers.execute(running.id, ["sh", WATCH_SCRIPT.mount, "test"])
    try:
        rows = json.loads(said.text.splitlines()[-1])
        yield from [SentMessage(str(label), problem) for label, problem in rows]
    except (ValueError, IndexError, TypeError) as error:
        hint = f"the service {one.stack.certbot} lacks the mounts for it: see docs/how-to/alerts.md"
        raise EngineError("the program for alerts cannot be run in the container", hint=hint) from error


def _report(command: str, sent: list[SentMessage]) -> Result[AlertsReport]:
    failed = any(one.problem for one in sent)
    found = ExitCode.FAILED if failed else ExitCode.OK
    return Result(command, AlertsReport(tuple(sent)), acted=bool(sent), found=found)
