"""A real nginx at the end of a deploy: the name of a service takes the place of addresses."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from stackctl.proxies.nginx.ahead import announced
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


def test_a_site_that_is_sent_to_another_name_is_answered_throughout(tmp_path: Path) -> None:
    """The new name has stood beside the old one, so its addresses are taken over too."""
    app, *ports = free_ports(3)
    records = Held({("web", "A"): "127.0.0.1", ("next", "A"): "127.0.0.1"})
    records.free.set()

    def files(service: str) -> dict[str, bytes]:
        found = rendered([site(SHOP, service=service, port=app)], Ports(*ports), [app])
        return {
            path: body.replace(b"resolver 127.0.0.11 ", f"resolver {server} ".encode()) for path, body in found.items()
        }

    with zone(records) as server:
        write(tmp_path, announced(files("web"), files("next")))
        with running(tmp_path, "1.30") as nginx:
            wait_until(asked_again(records), 20, "nginx resolves both names a second time, so it has their answers")
            assert statuses(ports[0]) == {200}
            records.free.clear()
            write(tmp_path, files("next"))
            nginx.send_signal(signal.SIGHUP)
            wait_for_line(nginx, "gracefully shutting down")
            assert statuses(ports[0]) == {200}
            records.free.set()


def asked_again(records: Held) -> Callable[[], bool]:
    """Whether there are two more questions than those of now."""
    before = records.asked
    return lambda: records.asked > before + 1


def statuses(port: int) -> set[int]:
    """The statuses of some requests, each on a connection of its own."""
    found = set()
    for _ in range(10):
        with Connection(port) as one:
            found.add(one.ask(SHOP, "GET", "/").status)
    return found
