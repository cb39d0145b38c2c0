"""Collect the facts that :mod:`stackctl.diagnose.edge` and :mod:`stackctl.diagnose.firewall` check."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from stackctl.adapters.disk.draining import is_drained
from stackctl.diagnose.edge import EdgeFacts
from stackctl.diagnose.firewall import SystemFacts
from stackctl.engine.context import Context
from stackctl.engine.probe.cdn import cdn_of_name
from stackctl.errors import EngineError
from stackctl.model.fields import Request
from stackctl.model.layout import MARKER_HOST
from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.model.values import Domain
from stackctl.observed.containers import Deployment

LOG_LINES = 5000
SYSTEMD = Path("/run/systemd/system")
MOST_NAMES = 20
"""A site or two show what is in front of all."""


def edge_facts(context: Context, stack: Stack, sites: Sequence[Site], containers: Deployment) -> EdgeFacts:
    """Return what is in front of the proxy, by DNS, by its log, and by its answer to a load balancer."""
    names = [site.name for site in sites if not site.local and not site.name.startswith("*")][:MOST_NAMES]
    proxy = context.proxy_of(stack)
    running = containers.running(stack.proxy.service)
    log = ""
    if running is not None and stack.behind is not None:
        with suppress(EngineError):  # a logging driver that cannot be read
            log = context.containers.log(running.id, LOG_LINES)
    status = None
    if running is not None and stack.behind is not None:
        path = stack.behind.health.text if stack.behind.health else "/"
        # A load balancer names the address of the host, which no site has.
        status = context.wire.ask(stack.proxy.http.at, Domain(MARKER_HOST), Request("GET", path), tls=False).status
    return EdgeFacts(
        behind=stack.behind,
        cdns={name: found for name in names if (found := cdn_of_name(context.network, name))},
        limited=frozenset(site.name for site in sites if site.counts_clients),
        misspoken=proxy.misspoken(log),
        running=running is not None,
        health=status,
        drained=is_drained(context.directory.root, proxy.layout),
        at=str(stack.proxy.for_visitors.at),
        today=context.now().date(),
    )


def system_facts(context: Context, stack: Stack) -> SystemFacts:
    """Return what this host's programs say about its boot, its firewalls and SELinux; None where they say nothing."""
    ask, folder = context.tools, context.directory.root / context.proxy_of(stack).layout.directory
    label = None
    # Only Linux has this function.
    with suppress(OSError, AttributeError):
        label = os.getxattr(folder, "security.selinux").decode("utf-8", "replace").rstrip("\0")
    return SystemFacts(
        # Where systemd does not run (sd_booted(3)), its files say nothing.
        service=ask(("systemctl", "is-enabled", "docker.service")) if SYSTEMD.is_dir() else None,
        ufw=ask(("ufw", "status")),
        firewalld=ask(("firewall-cmd", "--get-active-zones")),
        nftables=ask(("nft", "list", "ruleset")),
        selinux=ask(("getenforce",)),
        engine_options=ask(("docker", "info", "--format", "{{json .SecurityOptions}}")),
        label=label,
        folder=str(folder),
        ports=tuple(one.at.port for one in stack.proxy.listeners),
    )
