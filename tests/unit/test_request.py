"""The arguments of certbot, and what a CA's refusal means."""

from __future__ import annotations

import pytest

from stackctl.certs.problems import hint_about_ca, hint_for, in_plain_words
from stackctl.certs.request import CertificateRequest, certonly
from stackctl.model.acme import Acme, KeyType
from stackctl.model.values import Domain

REQUEST = CertificateRequest(Domain("a.example.com"), (Domain("a.example.com"), Domain("www.example.com")))
ACME = Acme(directory="https://ca.test/dir", email="you@example.com", agree_tos=True)


def option(argv: list[str], name: str) -> str | None:
    return argv[argv.index(name) + 1] if name in argv else None


def test_a_request_is_one_certonly_with_the_names_in_their_order() -> None:
    assert certonly(REQUEST, ACME) == [
        "certonly",
        "--non-interactive",
        "--webroot",
        "--webroot-path",
        "/var/www/certbot",
        "--cert-name",
        "a.example.com",
        "--renew-with-new-domains",
        "--keep-until-expiring",
        "--domain",
        "a.example.com",
        "--domain",
        "www.example.com",
        "--server",
        "https://ca.test/dir",
        "--agree-tos",
        "--no-eff-email",
        "--email",
        "you@example.com",
        "--key-type",
        "ecdsa",
    ]


def test_a_certificate_is_never_replaced_before_it_is_due_unless_forced() -> None:
    kept = certonly(REQUEST, ACME)
    forced = certonly(CertificateRequest(REQUEST.lineage, REQUEST.names, force=True), ACME)
    assert "--keep-until-expiring" in kept
    assert "--force-renewal" not in kept
    assert "--force-renewal" in forced
    assert "--keep-until-expiring" not in forced


def test_an_account_without_email_is_registered_as_such() -> None:
    argv = certonly(REQUEST, Acme(directory="https://ca.test/dir"))
    assert "--register-unsafely-without-email" in argv
    assert "--email" not in argv


@pytest.mark.parametrize(
    ("key_type", "size", "expected"),
    [(KeyType.ECDSA, 4096, None), (KeyType.RSA, 2048, "2048"), (KeyType.RSA, 4096, "4096")],
)
def test_a_key_size_is_an_rsa_keys(key_type: KeyType, size: int, expected: str | None) -> None:
    argv = certonly(REQUEST, Acme(key_type=key_type, key_size=size))
    assert option(argv, "--key-type") == key_type.value
    assert option(argv, "--rsa-key-size") == expected


@pytest.mark.parametrize("profile", [None, "shortlived"])
def test_a_profile_is_preferred_where_one_is_named(profile: str | None) -> None:
    assert option(certonly(REQUEST, Acme(profile=profile)), "--preferred-profile") == profile


def test_no_argument_is_empty_or_taken_for_an_option() -> None:
    argv = certonly(REQUEST, Acme(email="you@example.com", key_type=KeyType.RSA, profile="classic"))
    assert all(argv)
    for option_name in ("--cert-name", "--domain", "--server", "--email", "--key-type", "--rsa-key-size"):
        value = option(argv, option_name)
        assert value
        assert not value.startswith("-")


@pytest.mark.parametrize(
    ("problem", "part"),
    [
        ("urn:ietf:params:acme:error:dns", "A or AAAA record"),
        ("dns", "A or AAAA record"),
        ("urn:ietf:params:acme:error:connection", "port 80"),
        ("urn:ietf:params:acme:error:unauthorized", "another server answered"),
        ("urn:ietf:params:acme:error:caa", "CAA record"),
        ("urn:ietf:params:acme:error:rateLimited", "letsencrypt-staging"),
        ("urn:ietf:params:acme:error:rejectedIdentifier", "public domain"),
        ("urn:ietf:params:acme:error:invalidContact", "e-mail address"),
        ("urn:ietf:params:acme:error:userActionRequired", "terms of service"),
        ("urn:ietf:params:acme:error:badNonce", "again"),
    ],
)
def test_a_problem_of_the_ca_comes_with_a_next_step(problem: str, part: str) -> None:
    hint = hint_for(problem)
    assert hint
    assert part in hint


@pytest.mark.parametrize("problem", [None, "", "urn:ietf:params:acme:error:unheardOf", "urn:other:dns"])
def test_an_unknown_problem_has_no_hint(problem: str | None) -> None:
    assert hint_for(problem) is None


def _pool(words: str) -> str:
    """What requests says of a connection that failed."""
    return f"HTTPSConnectionPool(host='ca.example', port=443): Max retries exceeded with url: /dir (Caused by {words})"


_NEW = "NewConnectionError('<urllib3.HTTPSConnection object at 0x7f>: Failed to establish a new connection: "
_UNTRUSTED = (
    "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to get local issuer certificate (_ssl.c:1)"
)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            _pool("NameResolutionError(\"Failed to resolve 'ca.example' ([Errno -2] Name or service not known)\")"),
            "the name of the CA, ca.example, cannot be resolved",
        ),
        (_pool(f"{_NEW}[Errno 111] Connection refused')"), "the CA at ca.example:443 does not accept connections"),
        (
            "HTTPSConnectionPool(host='ca.example', port=443): Read timed out. (read timeout=45)",
            "the CA at ca.example:443 does not answer in time",
        ),
        (
            _pool(f"SSLError(SSLCertVerificationError(1, '{_UNTRUSTED}'))"),
            "the certificate of the CA's API at ca.example is not trusted: unable to get local issuer certificate",
        ),
        (
            _pool(f"{_NEW}[Errno 113] No route to host')"),
            "the CA at ca.example:443 cannot be reached: [Errno 113] No route to host",
        ),
        ("DNS problem: NXDOMAIN", "DNS problem: NXDOMAIN"),
    ],
)
def test_a_ca_that_cannot_be_reached_is_told_without_the_names_of_classes(said: str, told: str) -> None:
    assert in_plain_words(said) == told
    assert (hint_about_ca(said) is None) is (said == told)


def test_what_to_do_about_a_ca_is_told_by_what_is_wrong() -> None:
    assert "'ca-bundle'" in str(hint_about_ca(_pool(f"SSLError('{_UNTRUSTED}')")))
    assert "check 'ca' in x-stackctl" in str(hint_about_ca(_pool(f"{_NEW}[Errno 111] Connection refused')")))
