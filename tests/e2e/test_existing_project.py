"""``init`` in a Compose project that already exists, with data in it."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

import pytest

from tests.e2e.conftest import NewStack
from tests.e2e.helpers import APP_IMAGE, Stack, docker

pytestmark = pytest.mark.e2e

# As people write it: comments, anchors, quotes of three kinds, odd spacing, keys after 'services'.
PROJECT = f"""\
# The shop. Ask Ann before touching the database!
x-logging: &logging
  logging: {{driver: json-file, options: {{max-size: "1m"}}}}   # small disk

services:

  web:   # the shop itself
    image: '{APP_IMAGE}'
    <<: *logging
    environment:
      - APP_NAME=shop
      - "GREETING=hello: world"

  db:
    image: {APP_IMAGE}
    command: [ "python3", "-c", 'import time; time.sleep(10**6)' ]
    stop_signal: SIGKILL
    volumes:
      - data:/var/lib/db
    networks: [default, back]


networks:
  back:   {{}}
volumes:
  data:   # never delete
"""


@dataclass
class Shop:
    """The project with a stack next to it; ``there`` are the containers it had before."""

    stack: Stack
    name: str
    there: dict[str, str]


@pytest.fixture(scope="module")
def shop(new_stack: NewStack) -> Shop:
    stack = new_stack()
    stack.file.write_text(PROJECT)
    stack.compose("up", "--detach")
    there = stack.containers()
    docker("exec", there["db"], "sh", "-c", "echo precious >/var/lib/db/table")
    stack.init()
    name = stack.domain("shop")
    stack.add_dns(name)
    stack.ok("add-app", name, "--service", "web")
    return Shop(stack, name, there)


def test_foreign_bytes_survive_and_all_runs(shop: Shop) -> None:
    stack, there = shop.stack, shop.there
    # Nothing of it was taken away or restarted; the file only gained lines.
    assert _lost_lines(PROJECT, stack.file.read_text()) == []
    assert {service: stack.container(service) for service in there} == there
    assert set(stack.containers()) == {"web", "db", "nginx", "certbot"}
    assert stack.https(shop.name).json()["app"] == "shop"
    assert docker("exec", there["db"], "cat", "/var/lib/db/table") == "precious"
    stack.compose("config", "--quiet")

    before = stack.state()
    stack.ok("up")
    assert stack.state() == before


def test_a_route_taken_away_leaves_every_byte_as_it_was(shop: Shop) -> None:
    stack = shop.stack
    text = stack.file.read_text()
    stack.ok("remove-app", shop.name, "--keep-service")
    assert stack.refused(shop.name)
    assert _lost_lines(PROJECT, stack.file.read_text()) == []
    assert stack.container("web") == shop.there["web"]
    stack.ok("add-app", shop.name, "--service", "web")
    assert stack.file.read_text() == text
    assert stack.trusted(shop.name)


def test_up_after_remove_app_is_of_the_same_mind(new_stack: NewStack) -> None:
    """The service stays in the file, as it is the person's: its container must not go only to come back."""
    stack = new_stack()
    stack.file.write_text(PROJECT)
    stack.init()
    name = stack.domain("shop")
    stack.ok("add-app", name, "--service", "web", "--no-issue")

    stack.ok("remove-app", name)

    assert _lost_lines(PROJECT, stack.file.read_text()) == []
    before = stack.state()
    stack.ok("up")
    assert stack.state() == before


def _lost_lines(old: str, new: str) -> list[str]:
    lines = difflib.ndiff(old.splitlines(keepends=True), new.splitlines(keepends=True))
    return [line for line in lines if line.startswith("- ")]
