"""Images of certbot that are not Debian's: the issuer finds the Python that certbot itself uses."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator

import pytest

from tests.e2e.helpers import CERTBOT_IMAGE, Stack, docker

pytestmark = pytest.mark.e2e

# A Python on the PATH that knows nothing of certbot, and certbot's own beside it, as in the official image.
ELSEWHERE = f"""\
FROM {CERTBOT_IMAGE}
RUN python3 -m venv --without-pip --system-site-packages /opt/certbot \\
 && python3 -m venv --without-pip /opt/bare \\
 && {{ echo '#!/opt/certbot/bin/python3'; tail -n +2 /usr/bin/certbot; }} >/usr/local/bin/certbot \\
 && chmod +x /usr/local/bin/certbot && rm /usr/bin/certbot
ENV PATH=/opt/bare/bin:/usr/local/bin:/usr/bin:/bin
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
def images() -> Iterator[list[str]]:
    made = [build("elsewhere", ELSEWHERE), build("closed", CLOSED)]
    yield made
    subprocess.run(["docker", "rmi", "--force", *made], check=False, capture_output=True, timeout=120)


def test_the_issuer_runs_where_certbot_does_and_else_one_by_one(stack: Stack, images: list[str]) -> None:
    elsewhere, closed = images
    stack.init(certbot=elsewhere)
    name = stack.domain("batch")
    stack.add_dns(name)
    done = stack.ok("add-app", name, "--image", "stackctl-lab/app")
    assert stack.trusted(name)
    assert f"{name}: issued" in done.stdout
    assert "one by one" not in done.stdout
    assert "one certificate after the other" not in done.stdout
    # The children's events reach the host only from the batch issuer.
    assert docker("exec", stack.container("certbot"), "ls", "-A", "/etc/letsencrypt/.stackctl-issuer") == "lock"
    stack.edit(elsewhere, closed)
    stack.ok("up")
    other = stack.domain("single")
    stack.add_dns(other)
    done = stack.ok("add-app", other, "--image", "stackctl-lab/app")
    assert stack.trusted(other)
    said = "the certbot image has no Python to run: asking for one certificate after the other"
    assert done.stdout.count(said) == 1
