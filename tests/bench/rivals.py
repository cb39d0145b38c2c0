"""Issue certificates with Caddy, and with the steps of ``init-letsencrypt.sh``, one domain at a time."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.bench import lab
from tests.bench.ca import Ca

# The file that the script downloads before its first step. Its Diffie-Hellman parameters are omitted: nginx has not
# needed them since TLS 1.3, and this machine cannot download them.
TLS_OPTIONS = """\
ssl_session_cache shared:le_nginx_SSL:10m;
ssl_session_timeout 1440m;
ssl_session_tickets off;
ssl_protocols TLSv1.2 TLSv1.3;
ssl_prefer_server_ciphers off;
ssl_ciphers "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:\
ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
"""

CADDY_ADMIN = "127.0.0.1:22019"


@contextmanager
def caddy_run(directory: Path, ca: Ca, names: Sequence[str], upstream: str) -> Iterator[None]:
    """Run Caddy on this host with one site per name; it requests the certificates itself."""
    sites = "".join(f"{name} {{\n  reverse_proxy {upstream}\n}}\n" for name in names)
    (directory / "Caddyfile").write_text(
        f"{{\n  admin {CADDY_ADMIN}\n  email you@example.com\n  default_bind {lab.CADDY_AT}\n"
        f"  acme_ca {ca.local}\n  acme_ca_root {ca.bundle}\n  storage file_system {directory}/data\n"
        f"  servers {{\n    protocols h1 h2\n  }}\n}}\n{sites}"
    )
    with (
        (directory / "log").open("w") as log,
        subprocess.Popen(
            [lab.BIN / "caddy", "run", "--config", directory / "Caddyfile"],
            cwd=directory,
            env={**lab.environment(), "HOME": str(directory)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        ) as process,
    ):
        try:
            yield
        finally:
            process.terminate()


@contextmanager
def script_run(directory: Path, ca: Ca, names: Sequence[str], upstream: str) -> Iterator[None]:
    """Run the script's steps once per domain, as its users do; nginx is configured for the domains so far."""
    bundle = directory / "ca.pem"
    bundle.write_bytes(ca.bundle.read_bytes())
    (directory / "docker-compose.yml").write_text(json.dumps(_services()))
    conf = directory / "data/certbot/conf"
    conf.mkdir(parents=True)
    (conf / "options-ssl-nginx.conf").write_text(TLS_OPTIONS)
    (directory / "conf").mkdir()
    for done, name in enumerate(names, 1):
        (directory / "conf/nginx.conf").write_text(nginx_conf(names[:done], upstream))
        for step in _steps(name, ca.directory):
            lab.run(*lab.compose(), *step, cwd=directory)
    yield


def _services() -> dict[str, object]:
    """Return the script's Compose file with this machine's images and address."""
    shared = ["./data/certbot/conf:/etc/letsencrypt", "./data/certbot/www:/var/www/certbot"]
    nginx = {
        "image": lab.NGINX,
        "restart": "always",
        "ports": [f"{lab.SCRIPT_AT}:80:80", f"{lab.SCRIPT_AT}:443:443"],
        "volumes": ["./conf/nginx.conf:/etc/nginx/nginx.conf", *shared],
        "command": "/bin/sh -c 'while :; do sleep 6h & wait $${!}; nginx -s reload; done & nginx -g \"daemon off;\"'",
    }
    certbot = {
        "image": lab.CERTBOT,
        "restart": "unless-stopped",
        "volumes": [*shared, "./ca.pem:/ca.pem:ro"],
        "environment": {"REQUESTS_CA_BUNDLE": "/ca.pem"},
        "entrypoint": "/bin/sh -c 'trap exit TERM; while :; do certbot renew; sleep 12h & wait $${!}; done;'",
    }
    return {"services": {"nginx": nginx, "certbot": certbot}}


def _steps(name: str, server: str) -> list[list[str]]:
    """Return the script's Compose commands: create the dummy, start nginx, delete the dummy, issue, reload."""
    root = "/etc/letsencrypt"
    live = f"{root}/live/{name}"

    def in_certbot(shell: str) -> list[str]:
        return ["run", "--rm", "--entrypoint", f"/bin/sh -c '{shell}'", "certbot"]

    dummy = (
        f"mkdir -p {live} && openssl req -x509 -nodes -newkey rsa:4096 -days 1 "
        f"-keyout {live}/privkey.pem -out {live}/fullchain.pem -subj /CN=localhost"
    )
    request = (
        f"certbot certonly --webroot -w /var/www/certbot --email you@example.com -d {name} --server {server} "
        "--key-type rsa --rsa-key-size 4096 --agree-tos --no-eff-email --non-interactive --force-renewal"
    )
    return [
        in_certbot(dummy),
        ["up", "--force-recreate", "-d", "nginx"],
        in_certbot(f"rm -Rf {live} {root}/archive/{name} {root}/renewal/{name}.conf"),
        in_certbot(request),
        ["exec", "-T", "nginx", "nginx", "-s", "reload"],
    ]


def nginx_conf(names: Sequence[str], upstream: str, http: str = "80", https: str = "443") -> str:
    """Return the script's nginx configuration: one server block per site in a minimal main configuration."""
    sites = "".join(_site(number, name, upstream, http, https) for number, name in enumerate(names))
    return f"worker_processes auto;\nevents {{ worker_connections 8192; }}\nhttp {{\n{sites}}}\n"


def _site(number: int, name: str, upstream: str, http: str, https: str) -> str:
    live = f"/etc/letsencrypt/live/{name}"
    return f"""\
upstream app{number} {{
    server {upstream};
}}
server {{
    listen {http};
    server_name {name};
    server_tokens off;
    location /.well-known/acme-challenge/ {{
        root /var/www/certbot;
    }}
    location / {{
        return 301 https://$host$request_uri;
    }}
}}
server {{
    listen {https} ssl;
    server_name {name};
    server_tokens off;
    ssl_certificate {live}/fullchain.pem;
    ssl_certificate_key {live}/privkey.pem;
    include /etc/letsencrypt/options-ssl-nginx.conf;
    location / {{
        proxy_pass http://app{number};
        proxy_set_header Host $host;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
    }}
}}
"""
