"""Run the batch issuer in the certbot container, and verify the result against the files on disk."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import psutil

from stackctl.adapters.disk.certbot_tree import CertbotTree
from stackctl.certs.issuer import program, single
from stackctl.certs.ledger import KEPT, Entry
from stackctl.certs.problems import hint_about_ca, hint_for, in_plain_words
from stackctl.certs.request import CertificateRequest, certonly
from stackctl.engine.context import Context
from stackctl.engine.sources.webroot.progress import Progress
from stackctl.engine.waiting import wait_for
from stackctl.errors import EngineError, IssueFailed, StackctlError
from stackctl.model.layout import CERTBOT_CONF, site_of_file
from stackctl.model.stack import Stack
from stackctl.observed.ports import CommandKilled

_LONG = 365 * 86400.0

_CHILD = 40 * 2**20
"""Bytes of memory that a forked certbot uses, with a reserve."""

_FEWEST, _MOST = 4, 50


def issue(
    context: Context, project: str, stack: Stack, requests: Sequence[CertificateRequest], *, paced: bool
) -> dict[str, StackctlError]:
    """Issue all ``requests`` in parallel, and return the failures by lineage.

    A failure of one certificate does not affect the others.
    """
    if not stack.acme.agree_tos:
        error = IssueFailed(
            "the CA's terms of service are not agreed to",
            hint="read them (Let's Encrypt's are at https://letsencrypt.org/repository/), then run "
            "'stackctl init --agree-tos'",
        )
        return {request.lineage: error for request in requests}
    failures: dict[str, StackctlError] = {}
    for batch in _paced(context, stack, requests) if paced else [list(requests)]:
        outcome = _request(context, project, stack, batch)
        tree = context.directory.certbot_tree()
        for request in batch:
            problem = None if request.lineage in outcome.failures else _mismatch(tree, request)
            if problem:
                outcome.fail(request.lineage, problem)
            elif request.lineage not in outcome.failures:
                _copy(context, request.lineage, outcome)
        failures |= outcome.failures
        _record(context, stack, batch, outcome)
    return failures


def _paced(
    context: Context, stack: Stack, requests: Sequence[CertificateRequest]
) -> Iterator[list[CertificateRequest]]:
    """Yield batches of as many requests as the account may order, each as soon as it may."""
    for directory in dict.fromkeys(_directory(stack, request) for request in requests):
        yield from _paced_at(context, directory, [one for one in requests if _directory(stack, one) == directory])


def _directory(stack: Stack, request: CertificateRequest) -> str:
    """Return the CA of a request."""
    return (request.acme or stack.acme).directory


def _paced_at(
    context: Context, directory: str, requests: Sequence[CertificateRequest]
) -> Iterator[list[CertificateRequest]]:
    left = list(requests)
    while left:
        free = context.directory.ledger().free_orders(directory, context.now())
        if free == 0:
            context.report.note(f"waiting for the CA's order limit: {len(left)} more certificates to request")
            free = wait_for(lambda: context.directory.ledger().free_orders(directory, context.now()) or None, _LONG)
        batch, left = (left, []) if free is None else (left[:free], left[free:])
        yield batch


def _room() -> int:
    """Return how many children of the issuer fit in the free memory; they mostly wait for the CA, so many pay off."""
    return max(_FEWEST, min(_MOST, psutil.virtual_memory().available // _CHILD))


def _request(context: Context, project: str, stack: Stack, requests: Sequence[CertificateRequest]) -> _Outcome:
    tree = context.directory.certbot_tree()
    directories = {_directory(stack, request) for request in requests}
    accounts = {directory: tree.ambiguous_account(directory) for directory in directories}
    jobs: list[dict[str, Any]] = [
        {"lineage": request.lineage, "argv": certonly(request, stack.acme, accounts[_directory(stack, request)])}
        for request in requests
    ]
    concurrency = stack.acme.concurrency or _room()
    spec: dict[str, Any] = {"config_dir": CERTBOT_CONF.mount, "concurrency": concurrency, "jobs": jobs}
    key = context.directory.eab_key() if stack.acme.eab_kid else None
    if key:
        spec["eab"] = {stack.acme.directory: {"kid": stack.acme.eab_kid, "hmac_key": key}}
    by_dns = frozenset(request.lineage for request in requests if request.dns)
    outcome = _Outcome(context, Progress(len(jobs), concurrency, context.now()), by_dns)
    try:
        for line in context.containers.stream(stack.certbot, program.COMMAND, program.text(spec)):
            outcome.take(line)
    except CommandKilled:
        problem = f"the container of {stack.certbot} was stopped while certbot was running, or it ran out of memory"
        hint = f"see 'stackctl logs {stack.certbot}', then run the same command again"
        outcome.fail_rest(requests, problem, hint=hint)
    except EngineError as error:
        if outcome.has_events:
            outcome.fail_rest(requests, f"certbot ended early: {_cause(context, project, error)}")
        else:
            _one_by_one(context, project, stack, jobs, outcome)
    return outcome


def _cause(context: Context, project: str, error: EngineError) -> str:
    """Return why the issuer's output ended: if the engine itself is unavailable, Compose may print no error."""
    try:
        context.orchestrator.containers(project)
    except EngineError as unavailable:
        return unavailable.message
    return error.message


def _record(context: Context, stack: Stack, requests: Sequence[CertificateRequest], outcome: _Outcome) -> None:
    """Record the orders and their results in the ledger."""
    ledger, now = context.directory.ledger(), context.now()
    entries = [
        Entry(
            now,
            _directory(stack, request),
            tuple(sorted(request.names)),
            issued=request.lineage in outcome.issued,
            renewal=ledger.was_issued(_directory(stack, request), request.names),
        )
        for request in requests
        if request.lineage in outcome.issued | outcome.refused
    ]
    if entries:
        context.directory.write_ledger(entries, now - KEPT, now)


class _Outcome:
    """The issuer's results so far."""

    def __init__(self, context: Context, progress: Progress, by_dns: frozenset[str]) -> None:
        self._by_dns = by_dns
        self._context = context
        self._progress = progress
        self.has_events = False
        self.failures: dict[str, StackctlError] = {}
        self.issued: set[str] = set()
        self.refused: set[str] = set()
        self._finished: set[str] = set()

    def take(self, line: str) -> None:
        """Process one line of the issuer's output."""
        self.has_events = True
        try:
            event = json.loads(line)
            kind, lineage = event["event"], event.get("lineage")
        except (ValueError, KeyError, TypeError):
            self._context.report.note(f"certbot: {line}")
            return
        if self._progress.take(kind, lineage or ""):
            self._context.report.progress(self._progress.text(self._context.now()))
        if kind == "failed":
            self.fail(lineage, str(event.get("detail")), event.get("type"))
        elif kind in {"issued", "unchanged"}:
            self._finished.add(lineage)
            if kind == "issued":
                self.issued.add(lineage)
            self._context.report.note(
                f"{site_of_file(lineage)}: {'issued' if kind == 'issued' else 'certbot says it is not due yet'}"
            )
        elif kind == "note":
            self._context.report.note(str(event.get("detail")))

    def fail(self, lineage: str, detail: str, problem: str | None = None, hint: str | None = None) -> None:
        """Record that a lineage was not issued, with the reason ``detail`` and the ACME problem type ``problem``."""
        self._finished.add(lineage)
        self.issued.discard(lineage)
        if problem:
            self.refused.add(lineage)
        why = problem.rpartition(":")[2] if problem else None
        name = site_of_file(lineage)
        unreachable = hint_about_ca(detail)
        detail = in_plain_words(detail.removeprefix(f"{lineage}: "))
        message = f"{name}{detail.removeprefix(lineage)}" if detail.startswith(lineage) else f"{name}: {detail}"
        self.failures[lineage] = IssueFailed(
            f"{message} ({why})" if why else message,
            hint=hint or hint_for(problem, dns=lineage in self._by_dns) or unreachable,
            lineage=lineage,
            why=why or "-",
            detail=detail,
        )

    def fail_rest(self, requests: Sequence[CertificateRequest], detail: str, hint: str | None = None) -> None:
        """Fail the requests without a result, after the issuer ended early."""
        for request in requests:
            if request.lineage not in self._finished:
                self.fail(request.lineage, detail, hint=hint)


def _one_by_one(
    context: Context, project: str, stack: Stack, jobs: Sequence[Mapping[str, Any]], outcome: _Outcome
) -> None:
    container = context.orchestrator.containers(project).running(stack.certbot)
    if container is not None:
        context.report.note("the certbot image has no Python: requesting one certificate at a time")
    for job in jobs:
        lineage = job["lineage"]
        if container is None:
            outcome.fail(lineage, f"the {stack.certbot} service is not running")
            continue
        command = ["certbot", *job["argv"]]
        run = functools.partial(_execute, context, container.id, command)
        code, output = single.retry_certbot(run, program.PATIENCE, context.report.note)
        if code:
            problem, words = single.problem_in(output)
            outcome.fail(lineage, words or f"certbot ended with {code}", problem)
        else:
            outcome.issued.add(lineage)


def _execute(context: Context, container: str, command: Sequence[str]) -> tuple[int, str]:
    done = context.containers.execute(container, command)
    return done.code, done.text


def _copy(context: Context, lineage: str, outcome: _Outcome) -> None:
    """Copy an issued certificate to where the proxy reads it."""
    try:
        context.directory.copy_lineage(lineage, context.now())
    except StackctlError as error:
        # Issued all the same: the next command copies it.
        outcome.failures[lineage] = error


def _mismatch(tree: CertbotTree, request: CertificateRequest) -> str | None:
    """Return how the certificate on disk differs from the request, or None."""
    lineage = tree.lineage(request.lineage)
    if not lineage.usable or lineage.certificate is None:
        return f"certbot reports it as issued, but {lineage.problem}"
    missing = [name for name in request.names if not lineage.certificate.covers(name)]
    return f"the certificate does not cover {', '.join(missing)}" if missing else None
