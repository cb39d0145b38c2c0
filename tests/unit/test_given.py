"""What users bring as a certificate and a key becomes one pair, or one message that says what is wrong with it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import pkcs7, pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from stackctl.certs.given.pair import GivenPair, make_pair, refuse_uncovered
from stackctl.certs.given.parts import GivenFile, read_parts
from stackctl.certs.issuer.pair import blocks, chain_fault, pair_problem
from stackctl.certs.trust import Nearness, Trust, nearness, trust_of
from stackctl.errors import InputError
from tests.authority import DER, NOW, PEM, Authority, Made, Recipe, made, new_key

CA = Authority()
NAME = "shop.example.com"
LEAF = CA.leaf(NAME, "www.shop.example.com")
CHAIN = LEAF.pem + CA.middle.pem


class Asked:
    """Knows a passphrase, and counts how often it is asked for it."""

    def __init__(self, passphrase: bytes = b"secret") -> None:
        self.passphrase, self.names = passphrase, list[str]()

    def __call__(self, name: str) -> bytes:
        self.names.append(name)
        return self.passphrase


def given(*contents: bytes, asked: Asked | None = None) -> GivenPair:
    names = ("cert.pem", "key.pem", "chain.pem")
    files = [GivenFile(name, content) for name, content in zip(names, contents, strict=False)]
    return make_pair(read_parts(files, asked or Asked()), NOW)


def refused(*contents: bytes, asked: Asked | None = None) -> InputError:
    with pytest.raises(InputError) as caught:
        given(*contents, asked=asked)
    assert "-----" not in str(caught.value), "no key is shown"
    return caught.value


def right(pair: GivenPair, chain: Sequence[Made] = (LEAF, CA.middle)) -> bool:
    """Whether it is the leaf with its chain in order, and a key that a server loads."""
    assert pair_problem(pair.chain, pair.key) is None
    assert chain_fault(pair.chain, None if len(chain) == 1 else b"".join(one.pem for one in chain[1:])) in {
        None,
        "chain.pem is missing",
    }
    return blocks(pair.chain) == [one.pem for one in chain]


# What is accepted


def utf16(content: bytes) -> bytes:
    return content.decode().encode("utf-16")


def indented(content: bytes) -> bytes:
    return b"".join(b"    " + line for line in content.splitlines(keepends=True))


def as_json(content: bytes) -> bytes:
    return json.dumps({"pem": content.decode()}).encode()


@pytest.mark.parametrize(
    "written",
    [
        lambda content: content,
        lambda content: content.replace(b"\n", b"\r\n"),
        lambda content: content.replace(b"\n", b"\r"),
        lambda content: b"\xef\xbb\xbf" + content,
        lambda content: b"Bag Attributes\n  friendlyName: shop\n" + content + b"\n\n# end\n",
        utf16,
        indented,
        as_json,
    ],
)
def test_a_text_is_read_as_any_editor_writes_it(written: Any) -> None:
    assert right(given(written(CHAIN), written(LEAF.key_pem())))


@pytest.mark.parametrize("order", list(itertools.permutations([LEAF.pem, CA.middle.pem, CA.root.pem])))
def test_the_chain_is_put_in_order_and_the_root_is_left_out(order: tuple[bytes, ...]) -> None:
    pair = given(b"".join(order), LEAF.key_pem())
    assert right(pair)
    in_order = order.index(LEAF.pem) < order.index(CA.middle.pem)
    assert any("put in order" in note for note in pair.notes) is not in_order


def test_the_parts_may_be_in_any_files() -> None:
    assert right(given(LEAF.pem, LEAF.key_pem(), CA.middle.pem))
    assert right(given(LEAF.key_pem() + CHAIN)), "the key is in the file of the certificate"
    assert right(given(LEAF.key_pem(), CHAIN)), "the files are swapped"
    assert right(given(CHAIN, new_key_pem() + LEAF.key_pem() + new_key_pem())), "several keys in one file"
    assert right(given(LEAF.der, der_key(LEAF), CA.middle.der))
    assert right(given(CHAIN + LEAF.pem, LEAF.key_pem())), "one is there twice"
    bag = pkcs7.serialize_certificates([CA.middle.certificate, LEAF.certificate], PEM)
    assert right(given(bag, LEAF.key_pem()))
    assert right(given(pkcs7.serialize_certificates([CA.middle.certificate, LEAF.certificate], DER), LEAF.key_pem()))


def new_key_pem() -> bytes:
    return Made(LEAF.certificate, new_key()).key_pem()


def der_key(one: Made) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return bytes(one.key.private_bytes(DER, form, serialization.NoEncryption()))


@pytest.mark.parametrize("form", [serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("passphrase", [None, b"secret"])
def test_a_key_has_any_form(form: serialization.PrivateFormat, passphrase: bytes | None) -> None:
    how = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    asked = Asked()
    pair = given(CHAIN, LEAF.key.private_bytes(PEM, form, how), asked=asked)
    assert right(pair)
    assert asked.names == (["key.pem"] if passphrase else [])
    assert pair.version == given(CHAIN, LEAF.key_pem()).version, "the same import again is known as that"


@pytest.mark.parametrize("passphrase", [None, b"", b"secret"])
def test_a_pkcs12_file_has_everything(passphrase: bytes | None) -> None:
    how = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    content = pkcs12.serialize_key_and_certificates(
        b"shop", LEAF.key, LEAF.certificate, [CA.root.certificate, CA.middle.certificate], how
    )
    asked = Asked()
    assert right(given(content, asked=asked))
    assert len(asked.names) == bool(passphrase)


def test_of_several_that_fit_it_is_the_one_that_is_valid_longest() -> None:
    old = CA.leaf(NAME, key=LEAF.key, lifetime=timedelta(days=2))
    assert right(given(old.pem + CHAIN, LEAF.key_pem()))


def test_what_is_not_of_the_chain_is_left_out_and_named() -> None:
    pair = given(CHAIN + CA.leaf("other.example.com", common_name="other").pem, LEAF.key_pem())
    assert right(pair)
    assert pair.notes == ("left out, because they are not part of its chain: CN=other",)


def test_a_leaf_of_a_root_keeps_it() -> None:
    leaf = made(Recipe([NAME], url="http://ca.example/root.crt"), CA.root)
    assert right(given(leaf.pem + CA.root.pem, leaf.key_pem()), [leaf, CA.root])


def test_a_self_signed_one_is_accepted() -> None:
    own = made(Recipe([NAME], common_name=NAME, ca=True))
    pair = given(own.pem, own.key_pem())
    assert right(pair, [own])
    assert any("Firefox" in note for note in pair.notes)


# What is refused


def request(leaf: Made) -> x509.CertificateSigningRequest:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    return x509.CertificateSigningRequestBuilder(subject).sign(leaf.key, hashes.SHA256())


def public(encoding: serialization.Encoding) -> bytes:
    return bytes(LEAF.key.public_key().public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo))


SSH_KEY = LEAF.key.private_bytes(PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption())


@pytest.mark.parametrize(
    ("cert", "key", "where", "words"),
    [
        (b"", LEAF.key_pem(), "cert.pem", "is empty"),
        (b"\n\n \0", LEAF.key_pem(), "cert.pem", "is empty"),
        (CHAIN, b"", "key.pem", "is empty"),
        (b"<html>404</html>", LEAF.key_pem(), "cert.pem", "neither a certificate nor a private key"),
        (b"0\x82" + b"x" * 500, LEAF.key_pem(), "cert.pem", "neither"),
        (b"\xff\xfe\xd8", LEAF.key_pem(), "cert.pem", "neither"),
        (CHAIN[:-40], LEAF.key_pem(), "cert.pem", "truncated: the CERTIFICATE that begins in line"),
        (CHAIN, LEAF.key_pem()[:-40], "key.pem", "truncated: the PRIVATE KEY that begins in line 1"),
        (LEAF.pem.replace(b"M", b"*"), LEAF.key_pem(), "cert.pem", "damaged"),
        (CHAIN, LEAF.key_pem().replace(b"M", b"N", 1), "key.pem", "damaged"),
        (request(LEAF).public_bytes(PEM), LEAF.key_pem(), "cert.pem", "signing request"),
        (request(LEAF).public_bytes(DER), LEAF.key_pem(), "cert.pem", "signing request"),
        (CHAIN, public(PEM), "key.pem", "public key"),
        (CHAIN, public(DER), "key.pem", "public key"),
        (CHAIN, SSH_KEY, "key.pem", "key of SSH"),
        (CHAIN.replace(b"CERTIFICATE", b"TRUSTED CERTIFICATE"), LEAF.key_pem(), "cert.pem", "OpenSSL's own format"),
        (b"\xfe\xed\xfe\xed\0\0\0\2", LEAF.key_pem(), "cert.pem", "Java keystore"),
        (CHAIN, CHAIN, "cert.pem, key.pem", "no private key"),
        (LEAF.key_pem(), LEAF.key_pem(), "cert.pem, key.pem", "no certificate"),
        (CHAIN, CA.middle.key_pem()[:0] + new_key_pem(), "cert.pem", f"does not fit the certificate for {NAME}"),
        (LEAF.pem, LEAF.key_pem(), "cert.pem", "the intermediate CN=Test Intermediate is missing"),
    ],
)
def test_what_is_no_pair_is_refused_by_one_message(cert: bytes, key: bytes, where: str, words: str) -> None:
    error = refused(cert, key)
    assert (error.where, int(error.code)) == (where, 2)
    assert words in error.message


def test_where_the_missing_intermediate_is_is_told() -> None:
    assert "http://ca.example/middle.crt" in str(refused(LEAF.pem, LEAF.key_pem()).hint)


def test_a_leaf_that_names_no_place_of_its_issuer_may_lack_an_intermediate() -> None:
    leaf = CA.leaf(NAME, url=None)
    assert given(leaf.pem, leaf.key_pem()).issuer == "CN=Test Intermediate"
    assert given(leaf.pem + CA.middle.pem, leaf.key_pem()).issuer is None


@pytest.mark.parametrize("kind", ["key", "pkcs12"])
def test_a_wrong_passphrase_is_asked_for_once(kind: str) -> None:
    how = serialization.BestAvailableEncryption(b"right")
    bundle = pkcs12.serialize_key_and_certificates(b"shop", LEAF.key, LEAF.certificate, None, how)
    asked = Asked(b"wrong")
    error = refused(*([CHAIN, LEAF.key_pem(b"right")] if kind == "key" else [bundle]), asked=asked)
    assert "the passphrase is wrong" in error.message
    assert len(asked.names) == 1


def rsa_leaf(bits: int) -> Made:
    return CA.leaf(NAME, key=rsa.generate_private_key(65537, bits))


def signed_with_sha1() -> Made:
    """Such a leaf by its own words: the library no longer signs one."""
    root = made(Recipe(common_name="RSA Root", ca=True, key=rsa.generate_private_key(65537, 2048)))
    leaf = made(Recipe([NAME]), root)
    sha256, sha1 = (bytes.fromhex(f"06092a864886f70d0101{end}") for end in ("0b", "05"))
    return Made(x509.load_der_x509_certificate(leaf.der.replace(sha256, sha1)), leaf.key)


@pytest.mark.parametrize(
    ("leaf", "words"),
    [
        (lambda: CA.leaf(NAME, lifetime=timedelta(hours=3)), "expired on 2026-07-31"),
        (lambda: CA.leaf(NAME, begins=NOW + timedelta(days=1)), "not valid before 2026-08-02"),
        (lambda: CA.leaf(common_name=NAME), "no DNS names"),
        (lambda: CA.leaf(NAME, usages=[ExtendedKeyUsageOID.CLIENT_AUTH]), "not for servers"),
        (lambda: rsa_leaf(1024), "an RSA key of 1024 bits"),
        (lambda: CA.leaf(NAME, key=ec.generate_private_key(ec.SECP256K1())), "curve secp256k1"),
        (lambda: CA.leaf(NAME, key=ed25519.Ed25519PrivateKey.generate()), "EdDSA"),
        (lambda: CA.leaf(NAME, key=dsa.generate_private_key(2048)), "neither an RSA nor an elliptic-curve key"),
        (signed_with_sha1, "signed with SHA1"),
    ],
)
def test_what_no_browser_or_server_takes_is_refused(leaf: Any, words: str) -> None:
    one = leaf()
    error = refused(one.pem + CA.middle.pem, one.key_pem())
    assert words in error.message
    assert error.where in {"cert.pem", "key.pem"}


def test_a_weak_intermediate_is_refused() -> None:
    weak = made(Recipe(common_name="Weak", ca=True, key=rsa.generate_private_key(65537, 1024)), CA.root)
    leaf = made(Recipe([NAME]), weak)
    assert "for an RSA key of 1024 bits" in refused(leaf.pem + weak.pem, leaf.key_pem()).message


def test_the_names_of_the_site_are_all_covered() -> None:
    pair = given(CHAIN, LEAF.key_pem())
    refuse_uncovered(pair, [NAME], NAME)
    with pytest.raises(InputError, match=r"does not cover api\.example\.com") as caught:
        refuse_uncovered(pair, [NAME, "api.example.com"], NAME)
    assert NAME in str(caught.value.hint)


# Who accepts it, and for how long


def test_who_accepts_a_certificate_is_known() -> None:
    origin = CA.origin_leaf(NAME)
    roots = [CA.origin.certificate, CA.root.certificate]
    assert trust_of(CHAIN, roots) is Trust.PUBLIC
    assert trust_of(CHAIN, [CA.origin.certificate]) is Trust.UNKNOWN_CA
    assert trust_of(CHAIN, []) is None, "this host does not say which CAs it trusts"
    assert trust_of(origin.pem, roots) is Trust.CLOUDFLARE
    assert trust_of(made(Recipe([NAME], common_name=NAME)).pem, roots) is Trust.SELF_SIGNED
    assert trust_of(b"", roots) is None


@pytest.mark.parametrize(
    ("life", "left", "near"),
    [
        (365, 31, Nearness.FAR),
        (365, 30, Nearness.NEAR),
        (365, 14, Nearness.CLOSE),
        (365, 7, Nearness.URGENT),
        (365, 0, Nearness.OVER),
        (12, 5, Nearness.FAR),
        (12, 4, Nearness.NEAR),
        (12, 2, Nearness.CLOSE),
        (12, 1, Nearness.URGENT),
    ],
)
def test_the_end_is_near_in_days_or_in_parts_of_the_life(life: int, left: int, near: Nearness) -> None:
    one = given(CHAIN, LEAF.key_pem()).certificate
    begins = NOW - timedelta(days=life - left)
    aged = type(one)(one.fingerprint, one.names, one.issuer, begins, NOW + timedelta(days=left))
    assert nearness(aged, NOW) is near
