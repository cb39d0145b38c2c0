"""Whether certificates will be renewed: the loop that turns, and what it will find."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from stackctl.certs.renewal import KINDS, RenewalFile, account_path, parse_renewal
from stackctl.diagnose.check import Check, ok, unknown, wrong
from stackctl.model.layout import CERTBOT_CONF, WEBROOT, archive_folder, lineage_file, lineage_folder, renewal_file

FILE = "cert-renewal"


@dataclass(frozen=True, slots=True)
class RenewalFacts:
    """What ``certbot renew`` will find of one lineage.

    Attributes:
        subject: the app's own name.
        lineage: the lineage's name.
        names: the app's names.
        text: the renewal file; None where it is missing.
        links: where each file of ``live/NAME`` leads, None for one that is no link; None as a whole where
            links cannot be seen from here.
        archived: the names of the files in ``archive/NAME``.
        accounts: the accounts there are, as ``HOST/PATH/ID`` below ``accounts/``.
        directory: the CA that the stack asks.
    """

    subject: str
    lineage: str
    names: tuple[str, ...]
    text: str | None
    links: Mapping[str, str | None] | None
    archived: frozenset[str]
    accounts: frozenset[str]
    directory: str


def judge_renewal(facts: RenewalFacts) -> Check:
    """Whether the renewal file is there and fits what is around it."""
    shown = renewal_file(facts.lineage)
    if facts.text is None:
        text = f"{shown} is missing: certbot will not renew this certificate"
        return wrong(FILE, text, "run 'stackctl up', which has it written anew", facts.subject)
    problem = _problem(facts, parse_renewal(facts.text))
    if problem:
        return wrong(FILE, f"{shown}: {problem}", f"run 'stackctl renew --force {facts.subject}'", facts.subject)
    problem = _broken_link(facts)
    if problem:
        return wrong(FILE, problem, "run 'stackctl up', which brings the links back", facts.subject)
    if facts.links is None:
        return unknown(FILE, f"{shown} is right; links cannot be seen", "run it again as root", facts.subject)
    server = parse_renewal(facts.text).server
    asks = "" if server == facts.directory else f"; it asks {server}, not the CA of the stack"
    return ok(FILE, f"{shown} fits: account, webroot, links{asks}", facts.subject)


def _problem(facts: RenewalFacts, file: RenewalFile) -> str | None:
    server, account = file.server, file.account
    if not server:
        return "it names no CA (server): it is cut short"
    if not account or account_path(server, account) not in facts.accounts:
        return f"the account {account or '(none)'} is not under accounts/"
    home = {kind: (CERTBOT_CONF / lineage_file(facts.lineage, kind)).mount for kind in KINDS}
    astray = next((kind for kind, path in home.items() if file.paths.get(kind) != path), None)
    if astray:
        return f"{astray} is {file.paths.get(astray, 'missing')}, and not {home[astray]}"
    if file.parameters.get("authenticator") != "webroot":
        return f"the authenticator is {file.parameters.get('authenticator', 'missing')}, and not webroot"
    roots = {file.webroots.get(name, file.parameters.get("webroot_path", "").rstrip(", ")) for name in facts.names}
    other = next(iter(sorted(roots - {WEBROOT.mount})), None)
    return f"the webroot is {other or 'missing'}, and not {WEBROOT.mount}" if other is not None else None


def _broken_link(facts: RenewalFacts) -> str | None:
    if facts.links is None:
        return None
    versions: set[str] = set()
    for kind in KINDS:
        target = facts.links.get(kind)
        folder, _, file = (target or "").rpartition("/")
        if target is None:
            return f"{lineage_file(facts.lineage, kind)} is no link into archive/"
        if not folder.endswith(archive_folder(facts.lineage)) or file not in facts.archived:
            return f"{lineage_file(facts.lineage, kind)} leads to {target}, which is not there"
        versions.add(file.removeprefix(kind))
    return f"the links of {lineage_folder(facts.lineage)} lead to different versions" if len(versions) > 1 else None


# The loop


LOOP = "renewal-loop"

_SLACK = timedelta(hours=1)
"""How long a round may take."""

_GRAIN = timedelta(seconds=2)
"""The stamp counts whole seconds."""


@dataclass(frozen=True, slots=True)
class LoopFacts:
    """The certbot container's loop.

    Attributes:
        service: the service's name.
        state: Docker's word for its container; None for no container.
        started: when it was started.
        checked: when it last looked at what is due; None where it never did.
        interval: how long it sleeps between two looks.
    """

    service: str
    state: str | None
    started: datetime | None
    checked: datetime | None
    interval: timedelta
    now: datetime


def judge_loop(facts: LoopFacts) -> Check:
    """Whether what is due gets renewed without anybody's help."""
    start = f"run 'docker compose up -d {facts.service}'"
    if facts.state != "running":
        state = f"its container is {facts.state}" if facts.state else "it has no container"
        return wrong(LOOP, f"nothing renews certificates: {state}", start, facts.service)
    started = facts.started or facts.now
    if facts.checked is not None and facts.checked >= started - _GRAIN:
        age = facts.now - facts.checked
        if age <= facts.interval + _SLACK:
            return ok(LOOP, f"its last look for what is due was {_ago(age)}", facts.service)
    elif facts.now - started <= _SLACK:
        return ok(LOOP, f"started {_ago(facts.now - started)}, at its first round", facts.service)
    last = f"its last look was {_ago(facts.now - facts.checked)}" if facts.checked else "it has never looked"
    todo = f"run 'docker compose restart {facts.service}', and see 'docker compose logs {facts.service}'"
    return wrong(LOOP, f"the loop that renews does not turn: {last}", todo, facts.service)


def _ago(span: timedelta) -> str:
    hours, minutes = divmod(int(span.total_seconds()) // 60, 60)
    if hours >= 48:
        return f"{hours // 24} days ago"
    if hours:
        return f"{hours} h ago"
    return f"{minutes} min ago" if minutes else "just now"
