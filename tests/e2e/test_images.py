"""Images that are not Debian's: another shell and other tools, and a certbot with a Python of its own, or none."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import NewStack
from tests.e2e.helpers import APP_IMAGE, CERTBOT_IMAGE, NGINX_IMAGE, Stack, docker, inspect, wait_until
from tests.e2e.loops import SHORT_INTERVALS, make_due

pytestmark = pytest.mark.e2e

# The shell and the tools of Alpine, where only these differ: BusyBox comes first on the PATH.
BUSYBOX = """\
COPY --from=stackctl-lab/busybox /usr/bin/busybox /usr/bin/busybox
RUN mkdir /opt/busybox && busybox --install -s /opt/busybox && ln -sf /usr/bin/busybox /bin/sh
ENV PATH=/opt/busybox:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
"""

NGINX = f"FROM {NGINX_IMAGE}\n{BUSYBOX}RUN readlink -f /bin/sh | grep busybox\n"

# A Python on the PATH that knows nothing of certbot, and certbot's own next to it, as in the official image.
ELSEWHERE = f"""\
FROM {CERTBOT_IMAGE}
RUN python3 -m venv --without-pip --system-site-packages /opt/certbot \\
 && python3 -m venv --without-pip /opt/bare \\
 && {{ echo '#!/opt/certbot/bin/python3'; tail -n +2 /usr/bin/certbot; }} >/usr/local/bin/certbot \\
 && chmod +x /usr/local/bin/certbot && rm /usr/bin/certbot
{BUSYBOX}ENV PATH=/opt/bare/bin:$PATH
RUN certbot --version && ! python3 -c 'import certbot'
"""

# certbot as one binary would be: nothing tells which Python it uses, and there is no other.
CLOSED = f"""\
FROM {CERTBOT_IMAGE}
RUN mkdir /opt/closed && mv "$(readlink -f /usr/bin/python3)" /opt/closed/interpreter \\
 && rm -f /usr/bin/python3* && mv /usr/bin/certbot /opt/closed/program \\
 && printf '#!/bin/sh\\nexec /opt/closed/interpreter /opt/closed/program "$@"\\n' >/usr/bin/certbot \\
 && chmod +x /usr/bin/certbot && certbot --version && ! command -v python3
"""


def build(name: str, dockerfile: str) -> str:
    """An image of this test's own."""
    tag = f"stackctl-lab/{name}:{secrets.token_hex(3)}"
    done = subprocess.run(
        ["docker", "build", "--quiet", "--tag", tag, "-"],
        input=dockerfile,
        env={**os.environ, "DOCKER_BUILDKIT": "0"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return tag


@pytest.fixture(scope="module")
def images() -> Iterator[dict[str, str]]:
    dockerfiles = {"nginx": NGINX, "elsewhere": ELSEWHERE, "closed": CLOSED}
    made = {name: build(name, dockerfile) for name, dockerfile in dockerfiles.items()}
    yield made
    subprocess.run(["docker", "rmi", "--force", *made.values()], check=False, capture_output=True, timeout=120)


@pytest.fixture(scope="module")
def busy(new_stack: NewStack, images: dict[str, str]) -> Stack:
    """A stack on images that are as Alpine's."""
    made = new_stack()
    made.init(nginx=images["nginx"], certbot=images["elsewhere"])
    return made


def test_the_issuer_runs_by_the_python_that_certbot_has(busy: Stack) -> None:
    name = busy.domain("batch")
    busy.add_dns(name)
    done = busy.ok("add-app", name, "--image", APP_IMAGE)
    assert busy.trusted(name)
    assert f"{name}: issued" in done.stdout
    assert "one certificate at a time" not in done.stdout
    assert "one certificate after the other" not in done.stdout
    # The children's events reach the host only from the batch issuer.
    assert docker("exec", busy.container("certbot"), "ls", "-A", "/etc/letsencrypt/.stackctl-issuer") == "lock"


def test_busybox_starts_nginx_without_what_it_rejects_and_passes_arguments_to_certbot(busy: Stack) -> None:
    name, broken = busy.domain("batch"), busy.domain("broken")
    busy.ok("add-app", broken, "--image", APP_IMAGE, "--no-issue")
    more = busy.directory / "nginx/custom/more.inc"
    more.write_text("location = /more { return 200 more; }\n")
    (more.parent / f"{broken}.conf").write_text("include /etc/nginx/custom/more.inc;\n")
    busy.ok("up", "--no-issue")
    more.unlink()
    docker("restart", busy.container("nginx"))
    wait_until(lambda: busy.trusted(name), 30, "the other site is served")
    assert busy.refused(broken)
    assert f"stackctl: {broken} is left out: " in busy.compose("logs", "nginx")
    more.write_text("location = /more { return 200 more; }\n")
    busy.ok("up", "--no-issue")
    assert not busy.refused(broken)
    busy.ok("remove-app", broken, "--yes")
    assert f"Certificate Name: {name}" in busy.compose("run", "--rm", "-T", "certbot", "certificates")


def test_the_loops_run_on_busybox(busy: Stack) -> None:
    name = busy.domain("batch")
    (busy.directory / "docker-compose.override.yml").write_text(SHORT_INTERVALS)
    busy.ok("up")
    before = busy.serial(name)
    make_due(busy, name)
    wait_until(lambda: busy.serial(name) != before and busy.trusted(name), 30, "what the loop renewed is served")
    check = inspect(busy.container("nginx"))["Config"]["Healthcheck"]["Test"]
    assert check[0] == "CMD-SHELL"
    docker("exec", busy.container("nginx"), "sh", "-c", check[1])
    for service in ("certbot", "nginx"):
        docker("stop", "--time", "20", busy.container(service))
        assert inspect(busy.container(service))["State"]["ExitCode"] == 0, service


def test_without_a_python_certificates_are_requested_one_by_one(stack: Stack, images: dict[str, str]) -> None:
    stack.init(certbot=images["closed"])
    name = stack.domain("single")
    stack.add_dns(name)
    done = stack.ok("add-app", name, "--image", APP_IMAGE)
    assert stack.trusted(name)
    said = "the certbot image has no Python: requesting one certificate at a time"
    assert done.stdout.count(said) == 1
