"""A real nginx at the end of a deploy: the name of a service takes the place of addresses."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from stackctl.proxies.nginx.pins import pinned
from tests.e2e.helpers import wait_until
from tests.e2e.zone import zone
from tests.integration.real_nginx import Connection, Ports, free_ports, rendered, running, wait_for_line, write
from tests.unit.build import site

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SHOP = "shop.example.com"


class Held(dict[tuple[str, str], str]):
    """Records that a name server tells only while it is free to."""

    def __init__(self, records: dict[tuple[str, str], str]) -> None:
        super().__init__(records)
        self.free = threading.Event()
        self.asked = 0

    def __contains__(self, key: object) -> bool:
        self.asked += 1
        self.free.wait(30)
        return super().__contains__(key)


def test_a_name_has_addresses_before_the_name_server_answers(tmp_path: Path) -> None:
    """nginx takes them over at a reload from the group of before, in which the name is a server that is down."""
    app, *ports = free_ports(3)
    records = Held({("web", "A"): "127.0.0.1"})
    with zone(records) as server:
        named = {
            path: body.replace(b"resolver 127.0.0.11 ", f"resolver {server} ".encode())
            for path, body in rendered([site(SHOP, service="web", port=app)], Ports(*ports), [app]).items()
        }
        write(tmp_path, pinned(named, {"web": {"127.0.0.1": {}}}, beside=True))
        with running(tmp_path, "1.30") as nginx:
            assert statuses(ports[0]) == {200}
            records.free.set()
            wait_until(asked_again(records), 20, "nginx resolves the name a second time, so it has an answer")
            records.free.clear()
            write(tmp_path, named)
            nginx.send_signal(signal.SIGHUP)
            wait_for_line(nginx, "gracefully shutting down")
            assert statuses(ports[0]) == {200}
            records.free.set()
            assert statuses(ports[0]) == {200}


def asked_again(records: Held) -> Callable[[], bool]:
    """Whether there is another question than those of now."""
    before = records.asked
    return lambda: records.asked > before + 1


def statuses(port: int) -> set[int]:
    """The statuses of some requests, each on a connection of its own."""
    found = set()
    for _ in range(10):
        with Connection(port) as one:
            found.add(one.ask(SHOP, "GET", "/").status)
    return found
