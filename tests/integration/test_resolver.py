"""The resolver with each kind of answer, from a DNS server in the test."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from stackctl.adapters.net import resolver
from stackctl.adapters.net.resolver import Resolver, parse_resolver
from stackctl.observed.network import Answer, Lookup
from tests.e2e.zone import zone

RECORDS = {
    ("app.example.com", "A"): "192.0.2.1",
    ("app.example.com", "CAA"): '0 issue "ca.example; validationmethods=http-01"',
    ("six.example.com", "AAAA"): "2001:DB8:0::1",
    ("www.example.com", "CNAME"): "App.example.com.",
    ("one.example.com", "CNAME"): "two.example.com.",
    ("two.example.com", "CNAME"): "www.example.com.",
    ("dangling.example.com", "CNAME"): "gone.example.com.",
    ("circle.example.com", "CNAME"): "back.example.com.",
    ("back.example.com", "CNAME"): "circle.example.com.",
    ("broken.example.com", "*"): "SERVFAIL",
    ("refused.example.com", "*"): "REFUSED",
}


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, int]]:
    with zone(RECORDS) as at:
        yield parse_resolver(at)


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("app.example.com", "A", Lookup(Answer.FOUND, ("192.0.2.1",))),
        ("app.example.com", "AAAA", Lookup(Answer.EMPTY)),
        ("app.example.com", "CAA", Lookup(Answer.FOUND, ("0 issue ca.example; validationmethods=http-01",))),
        ("six.example.com", "AAAA", Lookup(Answer.FOUND, ("2001:db8::1",))),
        ("nowhere.example.com", "A", Lookup(Answer.NO_NAME)),
        ("broken.example.com", "A", Lookup(Answer.FAILED)),
        ("refused.example.com", "A", Lookup(Answer.FAILED)),
        # This server leaves following aliases to the client, as an authoritative one does.
        ("www.example.com", "A", Lookup(Answer.FOUND, ("192.0.2.1",), ("app.example.com",))),
        (
            "one.example.com",
            "A",
            Lookup(Answer.FOUND, ("192.0.2.1",), ("two.example.com", "www.example.com", "app.example.com")),
        ),
        ("www.example.com", "AAAA", Lookup(Answer.EMPTY, chain=("app.example.com",))),
        ("dangling.example.com", "A", Lookup(Answer.NO_NAME, chain=("gone.example.com",))),
        (
            "circle.example.com",
            "A",
            Lookup(Answer.EMPTY, chain=("back.example.com", "circle.example.com"), loop=True),
        ),
    ],
)
def test_an_answer_is_parsed(server: tuple[str, int], name: str, kind: str, expected: Lookup) -> None:
    assert Resolver(server).lookup(name, kind) == expected


def test_a_silent_server_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "_TRY_SECONDS", 0.1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.settimeout(5)
        asking = Resolver(silent.getsockname())
        assert asking.lookup("app.example.com", "A") == Lookup(Answer.SILENT)
        assert [len(silent.recv(512)) > 0 for _ in range(2)] == [True, True]
        assert asking.lookup("app.example.com", "AAAA") == Lookup(Answer.SILENT)
        silent.setblocking(False)
        with pytest.raises(BlockingIOError):
            silent.recv(512)


def test_a_second_server_is_asked_where_the_first_fails(server: tuple[str, int]) -> None:
    with zone({("app.example.com", "*"): "SERVFAIL"}) as failing:
        asking = Resolver(server)
        asking.__dict__["_servers"] = [parse_resolver(failing), server]
        assert asking.lookup("app.example.com", "A") == Lookup(Answer.FOUND, ("192.0.2.1",))


def test_a_host_whose_only_resolver_has_an_ipv6_address() -> None:
    with zone(RECORDS, "::1") as at:
        assert Resolver(parse_resolver(at)).lookup("app.example.com", "A") == Lookup(Answer.FOUND, ("192.0.2.1",))


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        ("nameserver 2001:db8::53\n", ["2001:db8::53"]),
        ("search lan\nnameserver fe80::1%eth0\noptions edns0\n", ["fe80::1%eth0"]),
        ("nameserver [::1]:5353\nnameserver dns.example.net\nnameserver\nnameserver 192.0.2.53\n", ["192.0.2.53"]),
        ("", []),
        (None, []),
    ],
)
def test_the_resolvers_of_the_host_are_those_that_its_c_library_takes(
    text: str | None, servers: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "resolv.conf"
    if text is not None:
        file.write_text(text)
    monkeypatch.setattr(resolver, "_CONFIGURATION", file)
    assert [address for address, _ in Resolver()._servers] == servers
