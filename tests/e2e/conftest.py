"""Fixtures of the end-to-end tests: the lab, and stacks in it that leave nothing behind."""

from __future__ import annotations

import http.client
import os
import secrets
import ssl
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.helpers import (
    APP_IMAGE,
    CERTBOT_IMAGE,
    DNS_MANAGEMENT,
    LAB,
    NGINX_IMAGE,
    Lab,
    Stack,
    free_addresses,
    trusting,
)
from tests.e2e.planned import PlannedStack

NewStack = Callable[..., Stack]


@pytest.fixture(scope="session")
def lab() -> Lab:
    """The lab of 'make setup', which has to be up."""
    try:
        directory = (LAB / "ca/directory").read_text().strip()
        bundle = LAB / "ca/ca.pem"
        root = _get_root(trusting(bundle.read_text()))
        _look_at_dns()
        _look_at_images()
    except (OSError, http.client.HTTPException, subprocess.SubprocessError, AssertionError) as error:
        pytest.fail(f"the lab is not up (run 'make setup'): {error}", pytrace=False)
    return Lab(directory, bundle, root)


def _get_root(context: ssl.SSLContext) -> str:
    """Fetched, not read from a file: every start of the CA makes a new one."""
    connection = http.client.HTTPSConnection("localhost", 15000, context=context, timeout=5)
    try:
        connection.request("GET", "/roots/0")
        response = connection.getresponse()
        assert response.status == 200, f"the CA answers {response.status}"
        return response.read().decode()
    finally:
        connection.close()


def _look_at_dns() -> None:
    connection = http.client.HTTPConnection(*DNS_MANAGEMENT, timeout=5)
    try:
        connection.request("GET", "/")
        connection.getresponse().read()
    finally:
        connection.close()


def _look_at_images() -> None:
    for image in (APP_IMAGE, NGINX_IMAGE, CERTBOT_IMAGE):
        found = subprocess.run(["docker", "image", "inspect", image], capture_output=True, timeout=20, check=False)
        assert found.returncode == 0, f"{image}: {found.stderr.decode().strip()}"


@pytest.fixture(scope="session")
def addresses() -> Iterator[str]:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return free_addresses(worker, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


@pytest.fixture(scope="module")
def new_stack(lab: Lab, addresses: Iterator[str]) -> Iterator[NewStack]:
    """Makes stacks that are not initialised yet; all are taken down after the module.

    Not below pytest's own directory: containers have these mounted, so each goes when its stack has gone.
    """
    made: list[Stack] = []

    def make(parent: Path | None = None) -> Stack:
        # Compose calls the project like the directory, and 'make clean' knows the lab's by this beginning.
        token = f"t{secrets.token_hex(3)}"
        directory = (parent or Path(tempfile.gettempdir())) / f"stackctl-lab-{token}"
        directory.mkdir()
        stack = PlannedStack(lab, directory, next(addresses), token)
        made.append(stack)
        return stack

    yield make
    for stack in made:
        stack.remove()


@pytest.fixture
def stack(new_stack: NewStack) -> Iterator[Stack]:
    """A stack of one test's own, not initialised yet."""
    made = new_stack()
    yield made
    made.remove()
