"""The parent of the batch issuer: start children, forward their events, and merge their finished lineages.

A part of the batch issuer (see :mod:`stackctl.certs.issuer`).
"""

from __future__ import annotations

import json
import os
import selectors
import shutil
import signal
import tempfile
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackctl.certs.issuer import accounts
from stackctl.certs.issuer.locks import config_lock
from stackctl.certs.issuer.merge import HOME, ConfigDir, ElsewhereError, merge_lineage, seed
from stackctl.certs.issuer.single import run_single
from stackctl.certs.issuer.worker import NOTHING, work

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_ORDER = 900.0
"""Seconds that one job may take; certbot itself gives up on a slow validation after 90."""


@dataclass
class Job:
    """One call of certbot; a job without a lineage registers an account.

    ``account`` is the directory of an account whose key must be registered again.
    """

    lineage: str | None
    argv: list[str]
    server: str
    stage: Path = Path()
    pid: int = 0
    result: dict[str, Any] = field(default_factory=dict)
    recovered: bool = False
    account: Path | None = None
    eab: dict[str, str] = field(default_factory=dict)


class BatchIssuer:
    """Starts children, forwards their events, and merges their finished lineages."""

    def __init__(self, shared: ConfigDir, concurrency: int, patience: float, emit: Callable[..., None]) -> None:
        self.shared, self.emit = shared, emit
        self.eab: dict[str, dict[str, str]] = {}
        self.concurrency, self.patience = max(1, concurrency), patience
        self.run_dir = Path(tempfile.mkdtemp(prefix="run-", dir=shared.root / HOME))
        self.selector = selectors.DefaultSelector()
        self.running: list[Job] = []
        self.finished: list[Job] = []
        self.single: list[Job] = []
        self.recovered: set[str] = set()
        self.refused: dict[str, dict[str, Any]] = {}
        self.forgotten: list[Job] = []
        self.again: set[str] = set()
        self.waiting_since = 0.0
        # Only the parent holds the writing end, so a child reads EOF when the parent ends for any reason.
        self.alive = os.pipe()

    def note(self, text: str) -> None:
        """Report a message that belongs to no lineage."""
        self.emit("note", detail=text)

    def recover(self) -> None:
        """Merge what an interrupted run finished, and remove what it did not."""
        home = self.shared.root / HOME
        done = [path.parent for path in sorted(home.glob("run-*/*/done"))]
        self.finished = [Job(s.name, [], "", s, recovered=True) for s in done if s.name[0] != "@"]
        self.work_off([])
        for run in home.glob("run-*"):
            for stage in run.iterdir() if run != self.run_dir else ():
                if not (stage / "done").exists() or stage.name[0] == "@":
                    shutil.rmtree(stage, ignore_errors=True)
            if run != self.run_dir and not any(run.iterdir()):
                run.rmdir()

    def register(self, jobs: list[Job]) -> list[Job]:
        """Register an account at each CA that has none, and return the jobs that have an account."""
        missing = {job.server: job.argv for job in jobs if not accounts.usable(self.shared, job.server)}
        self.work_off([self._registration(server, argv) for server, argv in missing.items()])
        return self._registered(jobs)

    def register_again(self) -> list[Job]:
        """Register the keys of accounts that a CA does not know any more, and return the jobs to repeat."""
        jobs, self.forgotten = self.forgotten, []
        for server, argv in {job.server: job.argv for job in jobs}.items():
            self.again.add(server)
            found = accounts.usable(self.shared, server)
            # With several accounts, the command line names the one in use.
            named = accounts.option(argv, "--account")
            found = [path for path in found if not named or path.name == named[-1]]
            if len(found) == 1:
                self.work_off([self._registration(server, argv, found[0])])
        return self._registered(jobs)

    def _registration(self, server: str, argv: list[str], account: Path | None = None) -> Job:
        return Job(None, accounts.registration(argv), server, account=account, eab=self.eab.get(server, {}))

    def _registered(self, jobs: list[Job]) -> list[Job]:
        for job in jobs:
            if job.server in self.refused:
                self.emit("failed", job.lineage, **self.refused[job.server])
        return [job for job in jobs if job.server not in self.refused]

    def work_off(self, jobs: list[Job]) -> None:
        """Run all jobs, several at once; a failed job stops no other."""
        queue = deque(jobs)
        while queue or self.running or self.finished:
            while queue and len(self.running) < self.concurrency:
                try:
                    self.start(queue[0])
                except (ElsewhereError, BlockingIOError) as error:
                    self.discard(queue[0])
                    if isinstance(error, BlockingIOError) and self.running:
                        break  # no more processes at the moment
                    self.note(f"{error}: falling back to the certbot command, one certificate at a time")
                    self.single += [queue[0]] if queue[0].lineage else []
                except (OSError, ValueError) as error:
                    self.fail(queue[0], {**NOTHING, "detail": str(error)})
                queue.popleft()
            if self.running or self.finished:
                for key, _ in self.selector.select(0.05 if self.finished else None):
                    self.read(key.data, key.fd)
            if self.finished:
                self.merge_finished()
        for job in self.single:
            run_single(job.lineage or "", job.argv, self.shared, self.patience, self.emit)
        self.single = []

    def start(self, job: Job) -> None:
        """Stage a job and fork its child."""
        stage = self.run_dir / (job.lineage or tempfile.mkdtemp(prefix="@", dir=self.run_dir))
        mine = ConfigDir(stage / "config")
        mine.root.mkdir(parents=True)
        job.stage = stage
        if job.lineage:
            seed(self.shared, mine, job.lineage)
            (mine.root / "accounts").symlink_to(self.shared.root / "accounts")
        reading, writing = os.pipe()
        try:
            job.pid = os.fork()
        except OSError:
            os.close(reading)
            os.close(writing)
            raise
        if not job.pid:
            _child(job, self.alive, writing)
        os.close(writing)
        self.running.append(job)
        self.selector.register(reading, selectors.EVENT_READ, (job, bytearray()))
        if job.lineage:
            self.emit("started", job.lineage)

    def read(self, source: tuple[Job, bytearray], fd: int) -> None:
        """Forward the events of a child; at its end, evaluate its result."""
        job, unread = source
        data = os.read(fd, 65536)
        unread += data
        while b"\n" in unread:
            line, _, rest = unread.partition(b"\n")
            unread[:] = rest
            event = json.loads(line)
            if event["event"] == "result":
                job.result = event
            elif job.lineage:
                self.emit(event["event"], job.lineage)
        if data:
            return
        self.selector.unregister(fd)
        os.close(fd)
        self.running.remove(job)
        status = os.waitpid(job.pid, 0)[1]
        if job.result.pop("ok", False):
            self.finished.append(job)
        else:
            job.result.pop("event", None)
            ended = {**NOTHING, "detail": f"the certbot process ended unexpectedly (wait status {status})"}
            self.fail(job, job.result or ended)

    def fail(self, job: Job, problem: dict[str, Any]) -> None:
        """Report a failed job, keep its certbot log, and remove its stage."""
        log = job.stage / "logs" / "letsencrypt.log"
        if job.lineage and log.exists():
            (self.shared.root / HOME / "logs").mkdir(exist_ok=True)
            log.replace(self.shared.root / HOME / "logs" / f"{job.lineage}.log")
        if not (job.stage / "done").exists():
            self.discard(job)
        if job.account:
            detail = f"the CA does not know the account any more and rejects its key: {problem['detail']}"
            self.refused[job.server] = {**problem, "detail": detail}
        elif not job.lineage:
            self.refused[job.server] = problem
        elif (problem["type"] or "").endswith(accounts.FORGOTTEN) and job.server not in self.again:
            job.result = {}
            self.forgotten.append(job)
        elif job.recovered:
            self.note(f"{job.lineage}: {problem['detail']}")
        else:
            self.emit("failed", job.lineage, **problem)

    def discard(self, job: Job) -> None:
        """Remove the stage of a job, if it has one."""
        if job.stage.parent == self.run_dir:
            shutil.rmtree(job.stage, ignore_errors=True)

    def stop(self) -> None:
        """Stop the children, which first remove their challenge files."""
        for job in self.running:
            os.kill(job.pid, signal.SIGTERM)
        end = time.monotonic() + 5
        while self.running and time.monotonic() < end:
            self.running = [job for job in self.running if os.waitpid(job.pid, os.WNOHANG) == (0, 0)]
            time.sleep(0.02)

    def merge_finished(self) -> None:
        """Merge the finished jobs as soon as no other certbot locks the configuration."""
        with config_lock(self.shared.root) as held:
            if held:
                self.waiting_since = 0.0
                while self.finished:
                    self.merge_one(self.finished.pop(0))
                return
        if not self.waiting_since:
            self.waiting_since = time.monotonic()
            self.note(f"another certbot is running in {self.shared.root}: waiting for it to end")
        elif time.monotonic() > self.waiting_since + self.patience:
            text = f"another certbot is running in {self.shared.root}: the next run installs the issued certificate"
            while self.finished:
                self.fail(self.finished.pop(0), {**NOTHING, "detail": text})

    def merge_one(self, job: Job) -> None:
        """Merge one lineage or account."""
        try:
            if job.lineage:
                changed = merge_lineage(self.shared, job.stage, job.lineage, self.note)
            elif job.account:
                accounts.update_account(self.shared, job.stage, job.account)
                self.note(f"{job.server} did not know the account any more: its key is registered again")
            else:
                accounts.merge_account(self.shared, job.stage, job.server)
        except (OSError, ValueError) as error:
            return self.fail(job, {**NOTHING, "detail": f"issued, but not installed: {error}"})
        (job.stage / "done").unlink()  # first: half of a stage must not be merged again
        shutil.rmtree(job.stage, ignore_errors=True)
        if not job.lineage:
            return self.emit("registered", detail=job.server)
        if job.recovered:
            self.note(f"{job.lineage} was issued by an interrupted run and is installed now")
            self.recovered |= {job.lineage} if changed else set()
        else:
            # A recovered lineage is reported as new, although certbot had nothing to do in this run.
            self.emit("issued" if changed or job.lineage in self.recovered else "unchanged", job.lineage)
        return None


def _end_late(say: Callable[..., None]) -> None:
    """End this process if its job takes too long: a CA that sends a byte a second exceeds no timeout of certbot's."""
    time.sleep(LONGEST_ORDER)
    say("result", **{**NOTHING, "detail": f"the CA did not finish the order within {LONGEST_ORDER:.0f} s"})
    os.kill(os.getpid(), signal.SIGTERM)  # at which certbot removes its challenge files
    time.sleep(5)
    os._exit(1)


def _child(job: Job, alive: tuple[int, int], writing: int) -> None:
    """Run one job in the child process; never return."""
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.close(alive[1])
        threading.Thread(target=lambda: (os.read(alive[0], 1), os._exit(1)), daemon=True).start()

        def say(event: str, **fields: object) -> None:
            os.write(writing, (json.dumps({"event": event, **fields}) + "\n").encode())

        threading.Thread(target=_end_late, args=(say,), daemon=True).start()
        if job.account:
            accounts.register_again(job.account, job.argv, job.eab, job.stage, say)
        else:
            work([*job.argv, *accounts.binding(job.eab)], job.stage, say)
    finally:
        os._exit(0)
