"""A chain and its key are judged as OpenSSL loads them, and the chain as a client verifies it."""

from __future__ import annotations

import base64
import importlib
import ssl
import textwrap
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from stackctl.certs.issuer import pair
from stackctl.certs.issuer.pair import chain_fault, pair_problem
from tests.authority import Recipe, made
from tests.offenders import no_offenders
from tests.unit.test_diagnose_certificates import LEAF, MIDDLE, STRANGER, key, pem

CHAIN, KEY, OTHER = pem(LEAF, MIDDLE), key(LEAF), key(MIDDLE)


def loads(folder: Path, fullchain: bytes, privkey: bytes) -> bool:
    """What a server does with the two files."""
    (folder / "chain").write_bytes(fullchain)
    (folder / "key").write_bytes(privkey)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(folder / "chain", folder / "key", password=lambda: "")
    except (ssl.SSLError, ValueError):
        return False
    return True


@pytest.mark.parametrize(
    ("fullchain", "privkey"),
    [
        (CHAIN, KEY),
        (pem(LEAF), KEY),
        (CHAIN.replace(b"\n", b"\r\n"), KEY),
        (b"Bag Attributes\n" + CHAIN + b"\ntrailing\n", b"text\n" + KEY),
        (KEY + CHAIN, KEY),
        (CHAIN + b"-----BEGIN C", KEY),
        (CHAIN[:-99], KEY),
        (CHAIN[:-5], KEY),
        (pem(LEAF) + pem(MIDDLE).replace(b"M", b"*", 1), KEY),
        (CHAIN[:99], KEY),
        (pem(MIDDLE, LEAF), KEY),
        (CHAIN, OTHER),
        (CHAIN, KEY[:-60]),
        (CHAIN, b""),
        (b"", KEY),
        (b"\0" * 2000, KEY),
        (CHAIN, b"\0" * 200),
    ],
)
def test_a_pair_is_judged_as_a_server_loads_it(fullchain: bytes, privkey: bytes, tmp_path: Path) -> None:
    assert (pair_problem(fullchain, privkey) is None) is loads(tmp_path, fullchain, privkey)


def test_an_rsa_key_is_refused_if_any_of_its_numbers_is_damaged() -> None:
    own = rsa.generate_private_key(65537, 2048)
    leaf, numbers = made(Recipe(common_name="RSA", key=own)).pem, own.private_numbers()
    der = own.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())

    def problem(name: str, bit: int) -> str | None:
        number = getattr(numbers, name)
        size = (number.bit_length() + 7) // 8
        changed = der.replace(number.to_bytes(size), (number ^ bit).to_bytes(size))
        text = "\n".join(textwrap.wrap(base64.b64encode(changed).decode(), 64))
        return pair_problem(leaf, f"-----BEGIN RSA PRIVATE KEY-----\n{text}\n-----END RSA PRIVATE KEY-----\n".encode())

    names = ("p", "q", "d", "dmp1", "dmq1", "iqmp")
    no_offenders(f"{name}: {problem(name, 0)}" for name in names if problem(name, 0) is not None)
    no_offenders(name for name in names if problem(name, 4) is None)


@pytest.mark.parametrize(
    ("fullchain", "chain", "fault"),
    [
        (CHAIN, pem(MIDDLE), None),
        (CHAIN, None, "chain.pem is missing"),
        (CHAIN, b"", "chain.pem lacks an intermediate of fullchain.pem"),
        (CHAIN, pem(MIDDLE)[:-30], "chain.pem is truncated"),
        (CHAIN, b"garbage", "chain.pem is truncated"),
        (pem(LEAF), pem(MIDDLE), "fullchain.pem lacks the intermediate O=Middle"),
        (pem(LEAF), b"", "fullchain.pem holds only the leaf, without its intermediate"),
        (pem(LEAF, STRANGER), pem(STRANGER), "certificate 1 of fullchain.pem is not signed by certificate 2"),
        (CHAIN + b"-----BEGIN C", pem(MIDDLE), "fullchain.pem is truncated"),
    ],
)
def test_a_chain_is_judged_as_a_client_verifies_it(fullchain: bytes, chain: bytes | None, fault: str | None) -> None:
    assert chain_fault(fullchain, chain) == fault


def test_without_the_library_only_truncation_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Any:
        if name.startswith("cryptography"):
            raise ImportError(name)
        return importlib.import_module(name)

    monkeypatch.setattr(pair.importlib, "import_module", absent)  # type: ignore[attr-defined]
    assert pair_problem(CHAIN, OTHER) is None
    assert pair_problem(CHAIN[:-60], KEY) == "fullchain.pem is truncated"
    assert pair_problem(CHAIN, KEY[:-60]) == "privkey.pem is truncated"
    assert chain_fault(CHAIN, pem(MIDDLE)) is None
    assert chain_fault(pem(LEAF), pem(MIDDLE)) == "fullchain.pem lacks the intermediate "
