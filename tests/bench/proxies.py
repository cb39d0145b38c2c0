"""The servers under load, each in a container on the host's network, on 127.0.0.1, with TLS."""

from __future__ import annotations

import datetime as dt
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from stackctl.certs.dummy import make_dummy
from stackctl.model import backends
from stackctl.model.acme import Acme
from stackctl.model.endpoints import Endpoint, PortBinding, web_listeners
from stackctl.model.http3 import Http3
from stackctl.model.routing import Site, everything_to
from stackctl.model.stack import ProxyService, Stack
from stackctl.model.streams import Stream
from stackctl.model.values import Domain, ServiceName
from stackctl.proxies.nginx.proxy import Nginx
from stackctl.proxies.proxy import SiteTls
from tests.bench import lab, rivals

SITE = "bench.example.com"
"""The name that every server serves; wrk resolves it to 127.0.0.1."""

UPSTREAM = Endpoint("127.0.0.1", lab.UPSTREAM_PORT)
"""Not read from text: on the host's network, and only there, this address is the host."""

CERTIFICATE = f"/etc/letsencrypt/live/{SITE}"
TLS = SiteTls(f"{CERTIFICATE}/fullchain.pem", f"{CERTIFICATE}/privkey.pem", frozenset({Domain(SITE)}))

# The proxy's settings in docker-compose.yml that affect speed and work on the host's network.
NGINX_OPTIONS = (
    *("--read-only", "--tmpfs", "/run", "--tmpfs", "/tmp", "--tmpfs", "/var/cache/nginx"),
    *("--log-driver", "json-file", "--log-opt", "max-size=10m", "--log-opt", "max-file=5"),
)


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        reload: reloads the configuration without closing the listening sockets.
    """

    subject: str
    port: int
    reload: Callable[[], object]


@contextmanager
def ours(port: int = 28443, *, gentle: bool = True, logs: bool = True) -> Iterator[Server]:
    """Start nginx with the configuration that stackctl renders for one app, on other ports.

    ``gentle`` keeps ``keepalive_min_timeout``, which a default nginx does not set; ``logs`` keeps the access log.
    """
    subject = "stackctl's nginx" + ("" if gentle else " without keepalive_min_timeout") + ("" if logs else ", no log")
    site = Site((Domain(SITE),), everything_to(backends.Server(UPSTREAM)))
    files = rendered((site,))
    if not gentle:
        files["nginx.conf"] = re.sub(rb"keepalive_min_timeout.*", b"", files["nginx.conf"])
    if not logs:
        files["nginx.conf"] = re.sub(rb"access_log [^;]*;", b"access_log off;", files["nginx.conf"])
    with nginx(port, subject, files) as server:
        yield server


@contextmanager
def nginx(port: int, subject: str, files: Mapping[str, bytes]) -> Iterator[Server]:
    """Start nginx with rendered files, of which the listen addresses are changed to ``port`` and 1,000 more."""
    folder = _folder(f"nginx-{port}")
    shutil.rmtree(folder)
    for path, content in files.items():
        text = re.sub(rb"listen 80\b", b"listen 127.0.0.1:%d" % (port + 1000), content)
        text = re.sub(rb"listen 443\b", b"listen 127.0.0.1:%d" % port, text)
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(text)
    volumes = ("--volume", f"{folder}:/etc/nginx:ro", "--volume", f"{certificates()}:/etc/letsencrypt:ro")
    command = (lab.NGINX, "nginx", "-e", "/dev/stderr", "-g", "daemon off;")
    with lab.container(f"nginx-{port}", *NGINX_OPTIONS, *volumes, *command) as name:
        yield Server(subject, port, lambda: lab.docker("exec", name, "nginx", "-e", "/dev/stderr", "-s", "reload"))


@contextmanager
def seed(port: int = 28444) -> Iterator[Server]:
    """Start the same image with the configuration of ``init-letsencrypt.sh``."""
    conf = _folder("seed") / "nginx.conf"
    conf.write_text(rivals.nginx_conf([SITE], str(UPSTREAM), f"127.0.0.1:{port + 1000}", f"127.0.0.1:{port}"))
    volumes = ("--volume", f"{conf}:/etc/nginx/nginx.conf:ro", "--volume", f"{certificates()}:/etc/letsencrypt:ro")
    with lab.container("seed", *volumes, lab.NGINX) as name:
        yield Server("the script's nginx", port, lambda: lab.docker("exec", name, "nginx", "-s", "reload"))


@contextmanager
def haproxy(port: int = 28445, *, logs: bool = False) -> Iterator[Server]:
    """Start HAProxy in master-worker mode, with the settings that its manual recommends for such a site.

    It logs nothing by default; with ``logs`` it logs every request to the container's log, as nginx does.
    """
    subject = "HAProxy" + (" with a log" if logs else "")
    conf = _folder(f"haproxy-{port}") / "haproxy.cfg"
    conf.write_text(
        "global\n  maxconn 8192\n  tune.ssl.cachesize 20000\n"
        + ("  log stdout format raw local0 info\n" if logs else "")
        + "defaults\n  mode http\n  timeout connect 5s\n  timeout client 65s\n  timeout server 300s\n"
        "  option forwardfor\n  http-reuse always\n"
        + ("  log global\n  option httplog\n" if logs else "")
        + f"frontend web\n  bind 127.0.0.1:{port} ssl crt /etc/haproxy/site.pem alpn h2,http/1.1\n"
        "  http-request set-header X-Forwarded-Proto https\n  default_backend app\n"
        f"backend app\n  server app {UPSTREAM}\n"
    )
    live = certificates() / "live" / SITE
    pem = conf.with_name("site.pem")
    pem.write_bytes((live / "fullchain.pem").read_bytes() + (live / "privkey.pem").read_bytes())
    volumes = ("--volume", f"{conf.parent}:/etc/haproxy:ro")
    command = ("haproxy", "-W", "-f", "/etc/haproxy/haproxy.cfg")
    options = NGINX_OPTIONS if logs else ()
    with lab.container(f"haproxy-{port}", *options, *volumes, lab.TOOLS, *command) as name:
        yield Server(subject, port, lambda: lab.docker("kill", "--signal", "USR2", name))


@contextmanager
def caddy(port: int = 28446, protocols: str = "h1 h2") -> Iterator[Server]:
    """Start Caddy with the same certificate and without a log (its default)."""
    folder = _folder("caddy")
    (folder / "Caddyfile").write_text(
        f"{{\n  admin {rivals.CADDY_ADMIN}\n  auto_https disable_redirects\n  default_bind 127.0.0.1\n"
        f"  servers {{\n    protocols {protocols}\n  }}\n}}\n"
        f"https://{SITE}:{port} {{\n  tls {TLS.certificate} {TLS.key}\n  reverse_proxy {UPSTREAM}\n}}\n"
    )
    volumes = ("--volume", f"{folder}:/etc/caddy:ro", "--volume", f"{certificates()}:/etc/letsencrypt:ro")
    binary = ("--volume", f"{lab.BIN / 'caddy'}:/usr/local/bin/caddy:ro")
    options = ("--config", "/etc/caddy/Caddyfile")
    with lab.container("caddy", *volumes, *binary, lab.BASE, "caddy", "run", *options) as name:
        yield Server("Caddy", port, lambda: lab.docker("exec", name, "caddy", "reload", "--force", *options))


def rendered(sites: Sequence[Site], streams: Sequence[Stream] = (), http3: Http3 | None = None) -> dict[str, bytes]:
    """Return the files that stackctl renders for sites, all of which have the one certificate."""
    nginx = Nginx()
    printed = _printed_by_nginx()
    listeners = web_listeners(PortBinding(None, 80), PortBinding(None, 443))
    module = nginx.needed_for_streams(printed)
    proxy = ProxyService(ServiceName("nginx"), lab.NGINX, listeners, ipv6=False, streams=module)
    stack = Stack(Acme(), tuple(sites), proxy, ServiceName("certbot"), streams=tuple(streams), http3=http3)
    tls = {site.name: replace(TLS, trusted=frozenset(site.domains)) for site in sites}
    found = nginx.render(stack, stack.sites, tls, nginx.parse_version(printed), {})
    parts = (found.shared, *found.sites.values(), *found.streams.values())
    files = {path: content for part in parts for path, content in part.items()}
    return {**files, nginx.layout.marker: nginx.marker("bench")}


@lru_cache(maxsize=1)
def _printed_by_nginx() -> str:
    *command, script = Nginx().version_command()
    return lab.run("docker", "run", "--rm", lab.NGINX, *command, f"exec 2>&1; {script}")


def processor_time(server: Server) -> float:
    """Return the processor time that all processes of a server have used, in seconds."""
    rows = lab.docker("top", f"{lab.PREFIX}nginx-{server.port}", "-o", "pid").split()[1:]
    fields = (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in rows)
    return sum(int(user) + int(system) for *_, user, system in (one[11:13] for one in fields)) / os.sysconf(
        "SC_CLK_TCK"
    )


def _folder(name: str) -> Path:
    folder = lab.OUT / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def certificates() -> Path:
    """Create a tree like certbot's with the certificate that every server presents: ECDSA, P-256."""
    root = _folder("letsencrypt")
    live = root / "live" / SITE
    if not live.is_dir():
        live.mkdir(parents=True)
        chain, key = make_dummy([SITE], dt.datetime.now(dt.UTC))
        (live / "fullchain.pem").write_bytes(chain)
        (live / "privkey.pem").write_bytes(key)
    (root / "options-ssl-nginx.conf").write_text(rivals.TLS_OPTIONS)
    return root
