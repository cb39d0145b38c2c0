"""Requests to misbehaving servers are reported, and never end in an unexpected exception."""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from stackctl.adapters.net import network
from stackctl.adapters.net.network import HostNetwork
from stackctl.observed.network import Reach
from tests.e2e.zone import Answer, server, zone

HERE = "127.0.0.1"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HERE, 0))
        return int(probe.getsockname()[1])


@contextmanager
def speaking(said: bytes | None) -> Iterator[int]:
    """Run a server that sends ``said`` and closes the connection; with None it waits for the client to close it."""
    with socket.socket() as listening:
        listening.bind((HERE, 0))
        listening.listen()

        def serve() -> None:
            client, _ = listening.accept()
            with client:
                client.recv(4096)
                if said is None:
                    client.recv(4096)
                else:
                    client.sendall(said)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(listening.getsockname()[1])
        thread.join(10)


@pytest.fixture(scope="module")
def asking() -> Iterator[HostNetwork]:
    with zone({}) as at:
        host, _, port = at.partition(":")
        yield HostNetwork((host, int(port)))


@pytest.mark.parametrize(
    "location",
    [
        "http://[bad",
        "http://" + "a" * 70 + ".example/",
        "http://nowhere.example/",
        "http://app.example.com:8080/",
        "http://app.example.com:port/",
        "ftp://app.example.com/",
        "mailto:me@example.com",
    ],
)
def test_a_redirect_that_no_ca_would_follow_is_not_followed(asking: HostNetwork, location: str) -> None:
    port = free_port()
    with server(HERE, lambda *_: Answer(302, b"moved", Location=location), port):
        fetched = asking.fetch(HERE, port, "app.example.com", "/x")
    assert (fetched.reach, fetched.status, fetched.redirect) == (Reach.ANSWERED, 302, location)


def test_response_headers_are_safe_to_print(asking: HostNetwork) -> None:
    port = free_port()
    with server(HERE, lambda *_: Answer(404, b"no", Server="\x1b[31mred" + "x" * 900), port):
        shown = asking.fetch(HERE, port, "app.example.com", "/x").headers["server"]
    assert shown.isprintable()
    assert len(shown) < 300


def test_the_host_header_is_the_name(asking: HostNetwork) -> None:
    port = free_port()
    with server(HERE, lambda name, path: Answer(200, f"{name}{path}".encode()), port):
        assert asking.fetch(HERE, port, "app.example.com", "/x").body == b"app.example.com/x"


@pytest.mark.parametrize(
    ("said", "reach"),
    [(b"", Reach.BROKEN), (b"SSH-2.0-OpenSSH_9.2\r\n", Reach.BROKEN), (None, Reach.BROKEN)],
    ids=["hangs up", "speaks no HTTP", "says nothing"],
)
def test_a_server_without_an_http_response_is_reported(
    asking: HostNetwork, monkeypatch: pytest.MonkeyPatch, said: bytes | None, reach: Reach
) -> None:
    monkeypatch.setattr(network, "_FETCH_SECONDS", 0.5)
    with speaking(said) as port:
        assert asking.fetch(HERE, port, "app.example.com", "/x").reach is reach


def test_a_refused_connection_is_reported(asking: HostNetwork) -> None:
    assert asking.fetch(HERE, free_port(), "app.example.com", "/x").reach is Reach.REFUSED


def test_this_hosts_addresses_are_known(asking: HostNetwork) -> None:
    assert HERE in asking.own_addresses()


def test_an_unreachable_ca_is_reported() -> None:
    told = HostNetwork().ca_directory(f"https://{HERE}:{free_port()}/dir", None)
    assert told.ahead is None
    assert "does not answer" in (told.problem or "")


def test_a_kernel_without_ipv6_is_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    asking = HostNetwork()
    real = socket.socket

    def without(family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        return real(family, kind)

    monkeypatch.setattr(socket, "socket", without)
    assert not asking.has_ipv6()
    monkeypatch.setattr(socket, "socket", lambda *_: real())
    assert asking.has_ipv6()
