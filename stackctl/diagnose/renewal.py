"""Check that certificates will be renewed: certbot's loop runs, and its files are consistent."""

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
    """Facts about one lineage, as ``certbot renew`` will find it.

    Attributes:
        subject: the app's first name.
        lineage: the lineage's name.
        names: the app's names.
        text: the content of the renewal file; None if it is missing.
        links: the target of each file of ``live/NAME``, None for one that is not a link; None as a whole if
            links cannot be read from here.
        archived: the names of the files in ``archive/NAME``.
        accounts: the existing accounts, as ``HOST/PATH/ID`` below ``accounts/``.
        directory: the ACME directory of the stack's CA.
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
    """Check that the renewal file exists and is consistent with the account, the webroot and the links."""
    path = renewal_file(facts.lineage)
    if facts.text is None:
        text = f"{path} is missing: certbot will not renew this certificate"
        return wrong(FILE, text, "run 'stackctl up', which writes it again", facts.subject)
    problem = _problem(facts, parse_renewal(facts.text))
    if problem:
        return wrong(FILE, f"{path}: {problem}", f"run 'stackctl renew --force {facts.subject}'", facts.subject)
    problem = _broken_link(facts)
    if problem:
        return wrong(FILE, problem, "run 'stackctl up', which restores the links", facts.subject)
    if facts.links is None:
        todo = f"run 'stackctl doctor {facts.subject}' as root"
        return unknown(FILE, f"{path} is valid; the links cannot be read", todo, facts.subject)
    server = parse_renewal(facts.text).server
    other_ca = "" if server == facts.directory else f"; it uses {server}, not the CA of the stack"
    return ok(FILE, f"{path} is valid: account, webroot, links{other_ca}", facts.subject)


def _problem(facts: RenewalFacts, file: RenewalFile) -> str | None:
    server, account = file.server, file.account
    if not server:
        return "it has no 'server' entry, so it is truncated"
    if not account or account_path(server, account) not in facts.accounts:
        return f"the account {account or '(none)'} is not under accounts/"
    home = {kind: (CERTBOT_CONF / lineage_file(facts.lineage, kind)).mount for kind in KINDS}
    wrong_path = next((kind for kind, path in home.items() if file.paths.get(kind) != path), None)
    if wrong_path:
        return f"{wrong_path} is {file.paths.get(wrong_path, 'missing')}, not {home[wrong_path]}"
    if file.parameters.get("authenticator") != "webroot":
        return f"the authenticator is {file.parameters.get('authenticator', 'missing')}, not webroot"
    roots = {file.webroots.get(name, file.parameters.get("webroot_path", "").rstrip(", ")) for name in facts.names}
    other = next(iter(sorted(roots - {WEBROOT.mount})), None)
    return f"the webroot is {other or 'missing'}, not {WEBROOT.mount}" if other is not None else None


def _broken_link(facts: RenewalFacts) -> str | None:
    if facts.links is None:
        return None
    versions: set[str] = set()
    for kind in KINDS:
        target = facts.links.get(kind)
        folder, _, file = (target or "").rpartition("/")
        if target is None:
            return f"{lineage_file(facts.lineage, kind)} is not a link into archive/"
        if not folder.endswith(archive_folder(facts.lineage)) or file not in facts.archived:
            return f"{lineage_file(facts.lineage, kind)} links to {target}, which does not exist"
        versions.add(file.removeprefix(kind))
    return f"the links of {lineage_folder(facts.lineage)} point to different versions" if len(versions) > 1 else None


# The loop


LOOP = "renewal-loop"

_SLACK = timedelta(hours=1)
"""How long one run of the loop may take."""

_GRAIN = timedelta(seconds=2)
"""The stamp has a resolution of whole seconds."""


@dataclass(frozen=True, slots=True)
class LoopFacts:
    """Facts about the renewal loop of the certbot container.

    Attributes:
        service: the service's name.
        state: the container's state in Docker; None without a container.
        started: when it was started.
        checked: when it last checked what is due; None if it never did.
        interval: how long it sleeps between two checks.
    """

    service: str
    state: str | None
    started: datetime | None
    checked: datetime | None
    interval: timedelta
    now: datetime


def judge_loop(facts: LoopFacts) -> Check:
    """Check that the loop runs on time, so that certificates are renewed automatically."""
    start = f"run 'docker compose up -d {facts.service}'"
    if facts.state != "running":
        state = f"its container is {facts.state}" if facts.state else "it has no container"
        return wrong(LOOP, f"nothing renews certificates: {state}", start, facts.service)
    started = facts.started or facts.now
    if facts.checked is not None and facts.checked >= started - _GRAIN:
        age = facts.now - facts.checked
        if age <= facts.interval + _SLACK:
            return ok(LOOP, f"its last run was {_ago(age)}", facts.service)
    elif facts.now - started <= _SLACK:
        return ok(LOOP, f"started {_ago(facts.now - started)}, in its first run", facts.service)
    last = f"its last run was {_ago(facts.now - facts.checked)}" if facts.checked else "it has never run"
    todo = f"run 'docker compose restart {facts.service}', and see 'docker compose logs {facts.service}'"
    return wrong(LOOP, f"the renewal loop is overdue: {last}", todo, facts.service)


def _ago(span: timedelta) -> str:
    hours, minutes = divmod(int(span.total_seconds()) // 60, 60)
    if hours >= 48:
        return f"{hours // 24} days ago"
    if hours:
        return f"{hours} h ago"
    return f"{minutes} min ago" if minutes else "just now"
