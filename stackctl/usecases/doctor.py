"""``stackctl doctor``: why a site does not work, the broken thing first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from stackctl.diagnose.check import Check, Section, found_wrong
from stackctl.diagnose.host import HostFacts, judge_host
from stackctl.engine.host import Host
from stackctl.engine.probe import host as probe
from stackctl.errors import ExitCode
from stackctl.model.names import Domain
from stackctl.model.stack import LETSENCRYPT
from stackctl.usecases.ground import Ground, survey
from stackctl.usecases.result import Result


def doctor(host: Host, asked: Sequence[Domain] = ()) -> Result:
    """Every check, in the order in which one stands on another; ``asked`` are the only domains looked at."""
    del asked
    ground = survey(host)
    sections = [Section("host", tuple(_host(ground)))]
    checks = [check for section in sections for check in section.checks]
    broken = found_wrong(checks)
    data = {
        "sections": [
            {"title": section.title, "checks": [_row(check) for check in section.checks]} for section in sections
        ],
        "first": _row(broken[0]) if broken else None,
    }
    return Result("doctor", data=data, found=ExitCode.FAILED if broken else ExitCode.OK)


def _row(check: Check) -> dict[str, Any]:
    return {
        "name": check.name,
        "verdict": check.verdict.value,
        "subject": check.subject,
        "text": check.text,
        "todo": check.todo,
    }


def _host(ground: Ground) -> Iterable[Check]:
    host, stack, containers = ground.host, ground.stack, ground.containers
    directory = stack.acme.directory if stack else LETSENCRYPT
    version = ground.engine_version
    looked = stack is not None and containers is not None and ground.project is not None
    facts = HostFacts(
        engine=ground.engine,
        compose=ground.compose,
        file=ground.file,
        images=probe.images(host, ground.project) if looked and ground.project else None,
        ports=probe.ports(host, stack.edge, containers) if stack and containers is not None else (),
        proxy=probe.proxy(host, stack, containers) if stack and containers is not None else None,
        disks=probe.disks(host.directory.root, version.root if version else None),
        ca=host.network.ca_directory(directory, host.directory.ca_bundle()),
    )
    return judge_host(facts)
