"""``haproxy -c`` of every golden case, by HAProxy of each version that it is rendered for."""

from __future__ import annotations

import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stackctl.certs.dummy import make_dummy
from stackctl.proxies.haproxy.layout import SITES
from stackctl.proxies.haproxy.proxy import PARTS
from tests.integration.real_nginx import write
from tests.unit.haproxy_goldens import VERSIONS, cases, rendered

pytestmark = pytest.mark.e2e

# One container tests all sets.
SCRIPT = f"""\
for set in /golden/*/; do
  files=''
  for part in {" ".join(PARTS)}; do files="$files -f $set$part"; done
  haproxy -c $files >/tmp/said 2>&1 && echo "$(basename "$set"): passed" || {{ basename "$set"; grep ALERT /tmp/said; }}
  grep WARNING /tmp/said | grep -v 'no SSL certificate specified'
done
"""


@pytest.mark.parametrize("version", VERSIONS)
def test_haproxy_accepts_every_golden_case(version: str, tmp_path: Path) -> None:
    made = tmp_path / "pairs"
    # The TLS library of Debian's 3.0 has not all that QUIC needs.
    tried = {name: case for name, case in cases().items() if name != "http3" or version != "3.0"}
    for name, case in tried.items():
        files = rendered(case, version)
        (tmp_path / "golden" / name / SITES).mkdir(parents=True)
        write(tmp_path / "golden" / name, files)
        texts = b"".join(body for path, body in files.items() if path.endswith(".cfg")).decode()
        for chain, key in re.findall(r"load crt (\S+) key (\S+)", texts):
            pair = zip((chain, key), make_dummy(["a.example.com"], datetime.now(UTC)), strict=True)
            write(made, {path.lstrip("/"): content for path, content in pair})
    command = ["docker", "run", "--rm", "--network", "none", "--volume", f"{tmp_path}/golden:/golden:ro"]
    command += ["--volume", f"{made}/var/lib/stackctl:/var/lib/stackctl:ro", "--entrypoint", "sh"]
    done = subprocess.run(
        [*command, f"stackctl/haproxy:{version}", "-c", SCRIPT],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.stdout.splitlines() == [f"{name}: passed" for name in sorted(tried)], done.stderr
