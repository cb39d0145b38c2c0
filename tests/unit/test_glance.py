"""What a server offers for a name, as a real server of each kind answers."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import pytest

from stackctl.adapters.net.deadline import Deadline
from stackctl.adapters.net.glance import Unclear, hello_context, offered
from stackctl.certs.dummy import make_dummy
from stackctl.model.endpoints import PortBinding

NAME = "a.example.com"


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate behind enough others that its message fills more than one record."""
    chain, key = make_dummy([NAME], datetime.now(UTC))
    file = tmp_path_factory.mktemp("glance") / "site.pem"
    file.write_bytes(key + chain + make_dummy(["ca.example.com"], datetime.now(UTC))[0] * 60)
    return file


def leaf_of(pem: Path) -> bytes:
    text = pem.read_text()
    return ssl.PEM_cert_to_DER_cert(
        text[text.index("-----BEGIN CERTIFICATE") :].split("-----END CERTIFICATE-----")[0] + ssl.PEM_FOOTER
    )


def refuse(_: ssl.SSLObject, name: str, __: ssl.SSLContext) -> int | None:
    return None if name == NAME else ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME


@contextmanager
def server(pem: Path, *, oldest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2) -> Iterator[tuple[str, int]]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    context.minimum_version = oldest
    context.sni_callback = refuse

    def answer(connection: socket.socket) -> None:
        with suppress(OSError), context.wrap_socket(connection, server_side=True):
            pass

    with listening(answer) as at:
        yield at


@contextmanager
def listening(answer: Callable[[socket.socket], None]) -> Iterator[tuple[str, int]]:
    """Something that takes one connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def take() -> None:
            connection, _ = listener.accept()
            with connection:
                answer(connection)

        thread = Thread(target=take)
        thread.start()
        yield listener.getsockname()
        thread.join(10)
        assert not thread.is_alive()


def test_the_leaf_is_what_a_whole_handshake_shows(pem: Path) -> None:
    with server(pem) as at:
        assert offered(hello_context(), PortBinding(*at), NAME, Deadline(5)) == leaf_of(pem)


def test_a_name_the_server_refuses_has_nothing(pem: Path) -> None:
    with server(pem) as at:
        assert offered(hello_context(), PortBinding(*at), "other.example.com", Deadline(5)) is None


def test_a_server_that_speaks_tls_13_alone_is_left_to_a_whole_handshake(pem: Path) -> None:
    with server(pem, oldest=ssl.TLSVersion.TLSv1_3) as at, pytest.raises(Unclear):
        offered(hello_context(), PortBinding(*at), NAME, Deadline(5))


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x16\x03\x03\x00\x08\x02\x00\x00",  # a record cut short
        b"\x16\x03\x03\x00\x04\x0e\x00\x00\x00",  # a handshake message, but never a certificate
        b"\x15\x03\x03\x00\x02\x02\x28",  # another alert
        b"\x15\x03\x03\x00\x00",
    ],
)
def test_what_is_no_certificate_is_unclear(said: bytes) -> None:
    def answer(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(said)

    with listening(answer) as at, pytest.raises(Unclear):
        offered(hello_context(), PortBinding(*at), NAME, Deadline(5))


def test_where_nothing_answers_it_is_the_sockets_own_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(TimeoutError):
        offered(hello_context(), PortBinding(*silent.getsockname()), NAME, Deadline(0.05))
