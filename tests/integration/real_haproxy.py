"""A real HAProxy with the rendered files of a stack."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from stackctl.certs.dummy import make_dummy
from stackctl.model.edge import Behind
from stackctl.model.endpoints import Listener, PortBinding, Scheme
from stackctl.model.http3 import Http3
from stackctl.model.logs import LogFormat
from stackctl.model.routing import Site
from stackctl.proxies.haproxy.proxy import Haproxy
from stackctl.proxies.proxy import SiteTls
from stackctl.proxies.sites import Rendering
from tests.integration.real_nginx import Ports, free_ports, wait_for_line, write
from tests.unit.build import stack, whole

VERSIONS = {"3.0": (3, 0, 11), "3.2": (3, 2, 26)}


@contextlib.contextmanager
def serving(
    folder: Path,
    sites: Sequence[Site],
    *,
    version: str = "3.2",
    custom: Mapping[str, bytes] | None = None,
    pages: Mapping[str, bytes] | None = None,
    log: Path | None = None,
    behind: Behind | None = None,
) -> Iterator[Ports]:
    """Serve sites; yield the ports of the proxy."""
    ports = Ports(*free_ports(2))
    write(
        folder, rendered(sites, ports, version=version, custom=custom, pages=pages, json_log=bool(log), behind=behind)
    )
    with running(folder, version, log):
        yield ports


def rendered(
    sites: Sequence[Site],
    ports: Ports,
    *,
    version: str = "3.2",
    custom: Mapping[str, bytes] | None = None,
    pages: Mapping[str, bytes] | None = None,
    json_log: bool = False,
    behind: Behind | None = None,
) -> dict[str, bytes]:
    """Return all files of a proxy that serves ``sites``, by their paths."""
    made = replace(stack(*sites), pages=pages or {}, log=LogFormat.JSON if json_log else LogFormat.TEXT)
    listeners: tuple[Listener, ...] = (
        Listener(Scheme.HTTP, ports.http, PortBinding(None, ports.http)),
        Listener(Scheme.HTTPS, ports.https, PortBinding(None, ports.https)),
    )
    if behind is not None and behind.terminated:
        listeners = listeners[:1]
    made = replace(made, behind=behind)
    made = replace(made, proxy=replace(made.proxy, listeners=listeners, ipv6=behind is not None))
    if version != "3.0" and behind is None:
        made = replace(made, http3=Http3(PortBinding(None, ports.https)))
    tls = {site.name: SiteTls("/etc/haproxy/chain.pem", "/etc/haproxy/key.pem", frozenset()) for site in sites}
    files = whole(Rendering(Haproxy(), VERSIONS[version], custom or {}), made, tls)
    chain, key = make_dummy(["a.example.com"], datetime.now(UTC))
    live = {**files, Haproxy.layout.marker: Haproxy().marker("0123456789abcdef")}
    for path in (path for path in live if path.endswith(".cfg")):
        text = re.sub(rb"/var/lib/stackctl/pairs/stored/\S+/fullchain", b"/etc/haproxy/chain", live[path])
        live[path] = re.sub(rb"/var/lib/stackctl/pairs/stored/\S+/privkey", b"/etc/haproxy/key", text)
    return {"chain.pem": chain, "key.pem": key, **{f"live/{path}": content for path, content in live.items()}}


@contextlib.contextmanager
def running(folder: Path, version: str, log: Path | None = None) -> Iterator[subprocess.Popen[str]]:
    """Run HAProxy with the files below ``folder``."""
    program, *arguments = Haproxy().start_command()
    command = [
        *["docker", "run", "--rm", "--init", "--network", "host", "--volume", f"{folder}:/etc/haproxy:ro"],
        *["--tmpfs", "/run", "--entrypoint", program, f"stackctl/haproxy:{version}", "-W", *arguments],
    ]
    with (
        (log or Path(os.devnull)).open("wb") as stdout,
        subprocess.Popen(command, stderr=subprocess.PIPE, stdout=stdout, text=True) as process,
    ):
        try:
            wait_for_line(process, "Loading success")
            yield process
        finally:
            process.terminate()
            process.communicate()
