"""A real nginx selects the servers and locations that :mod:`stackctl.proxies.nginx.trace` predicts."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from stackctl.model.fields import Request
from stackctl.proxies.nginx.proxy import Nginx
from stackctl.proxies.trace import Outcome
from tests.unit.test_nginx_routes import LOCATIONS, SERVERS

pytestmark = pytest.mark.e2e

PATHS = [
    *("/", "/any", "/exact", "/exact?q=1", "/exact/", "/exactly", "/images", "/images/a.png", "/images/A.JPEG"),
    *("/static", "/static/a.gif", "/static/deep", "/static/deep/a.gif", "/static/deep/a.txt", "/index.php"),
    *("/user/12", "/user/x", "/outer", "/outer/", "/outer/a.php", "/outer/inner", "/outer/inner/x"),
    *("/outer/inner/a.php", "/with%20space/x", "/tight", "//images//../images/./x", "/a/%2e%2e/exact", "/@named"),
]
NAMES = [
    *("exact.example.com", "EXACT.example.com", "a.example.com", "reg1.example.com", "reg1.example.org"),
    *("a.deep.example.com", "deep.example.com", "www.example.net", "dot.org", "a.dot.org", "stranger.org"),
]
SCRIPT = r"""
nginx -e /dev/stderr -c /conf/nginx.conf || exit 1
while read -r host path; do
  echo "$host $path $(curl -s --path-as-is -o /tmp/body -w '%{http_code}' -H "Host: $host" "http://127.0.0.1:8443$path")"
done </conf/requests
"""


def test_a_real_nginx_selects_the_same_servers_and_locations(tmp_path: Path) -> None:
    # Each target is replaced by an upstream on the same nginx that returns a unique status.
    targets = sorted(set(re.findall(r"http://([a-z-]+):1;", LOCATIONS)))
    codes = {name: 230 + number for number, name in enumerate(targets)}
    text = re.sub(r"http://([a-z-]+):1;", lambda match: f"http://127.0.0.1:{9000 + codes[match[1]]};", LOCATIONS)
    text += SERVERS.replace("ssl_reject_handshake on;", "return 200;")
    text = text.replace("listen 443 ssl", "listen 8443").replace(
        " listen 127.0.0.1:443 ssl;", " listen 127.0.0.9:8443;"
    )
    # The server with the locations has a separate name, so that it does not compete with the others.
    text = text.replace("server_name a.example.com", "server_name locations.test")
    text += "".join(f"server {{ listen {9000 + code}; return {code}; }}\n" for code in codes.values())
    live = tmp_path / "live"
    live.mkdir()
    (live / "nginx.conf").write_text(
        f"pid /tmp/pid;\nevents {{}}\nhttp {{\naccess_log off;\nserver_names_hash_bucket_size 128;\n{text}}}\n"
    )
    requests = [*(("locations.test", path) for path in PATHS), *((name, "/") for name in NAMES)]
    (live / "requests").write_text("".join(f"{name} {path}\n" for name, path in requests))
    done = subprocess.run(
        [
            "docker",
            "run",
            "--rm",
            "-i",
            "--network",
            "none",
            "-v",
            f"{live}:/conf:ro",
            "stackctl/nginx:1.30",
            "sh",
            "-s",
        ],
        input=SCRIPT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    said = {tuple(line.split()[:2]): int(line.split()[2]) for line in done.stdout.splitlines()}
    files = {"nginx.conf": (live / "nginx.conf").read_bytes()}
    expected = {}
    for name, path in requests:
        found = Nginx().tracer(files, name)(Request("GET", path), 8443)
        assert found is not None
        passed = found.action.outcome is Outcome.PROXY
        expected[name, path] = found.action.targets[0].port - 9000 if passed else found.action.status
    assert said == expected, json.dumps(done.stderr)
