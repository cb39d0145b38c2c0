"""Dummies: certificates that a proxy can load and that cannot be taken for real ones."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from stackctl.certs.dummy import ISSUER, make_dummy
from stackctl.certs.lineage import read_certificate, read_lineage
from tests.unit.build import DAY, NOW

NAMES = ["a.example.com", "xn--mnchen-3ya.de"]


def test_a_dummy_is_for_all_names_and_says_that_it_is_one() -> None:
    chain, _ = make_dummy(NAMES, NOW)
    cert = read_certificate(chain)
    assert cert.names == tuple(NAMES)
    assert cert.issuer == ISSUER == "stackctl dummy"


def test_a_dummy_is_loaded_with_its_key() -> None:
    chain, key = make_dummy(NAMES, NOW)
    assert read_lineage("a.example.com", chain, key, None).usable


def test_a_dummy_is_valid_on_a_clock_that_is_a_little_off_and_for_years() -> None:
    cert = read_certificate(make_dummy(NAMES, NOW)[0])
    assert cert.not_before < NOW - timedelta(hours=23)
    assert cert.not_after > NOW + 9 * 365 * DAY
    assert not cert.due(NOW + 365 * DAY)


def test_a_dummy_cannot_sign_others() -> None:
    leaf = x509.load_pem_x509_certificate(make_dummy(NAMES, NOW)[0])
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    leaf.verify_directly_issued_by(leaf)


def test_two_dummies_have_nothing_in_common() -> None:
    (chain1, key1), (chain2, key2) = make_dummy(NAMES, NOW), make_dummy(NAMES, NOW)
    assert key1 != key2
    assert read_certificate(chain1).fingerprint != read_certificate(chain2).fingerprint
    serials = {x509.load_pem_x509_certificate(chain).serial_number for chain in (chain1, chain2)}
    assert len(serials) == 2


def test_the_key_is_a_plain_p256_key() -> None:
    private = serialization.load_pem_private_key(make_dummy(NAMES, NOW)[1], None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    assert private.curve.name == "secp256r1"


@pytest.mark.parametrize("count", [1, 100])
def test_a_dummy_takes_as_many_names_as_an_app_has(count: int) -> None:
    names = [f"n{number}.example.com" for number in range(count)]
    assert len(read_certificate(make_dummy(names, NOW)[0]).names) == count


def test_a_dummy_takes_the_longest_name_there_is() -> None:
    name = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])
    assert read_certificate(make_dummy([name], NOW)[0]).names == (name,)
