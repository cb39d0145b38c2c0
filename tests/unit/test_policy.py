"""What a CA is known to refuse is refused before it is asked; what it issues is not."""

from __future__ import annotations

import pytest

from stackctl.certs.policy import POLICIES, refused
from stackctl.model.acme import LETSENCRYPT, LETSENCRYPT_STAGING

PRIVATE_CA = "https://ca.example.com/acme/directory"


def text(*names: str, profile: str | None = None, directory: str = LETSENCRYPT) -> str | None:
    rule = refused(directory, names, profile)
    return rule.text if rule else None


@pytest.mark.parametrize("directory", [LETSENCRYPT, LETSENCRYPT_STAGING])
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("co.uk", "co.uk is a public suffix"),
        ("gov.uk", "gov.uk is a public suffix"),
        ("com.au", "com.au is a public suffix"),
        ("x.ck", "x.ck is a public suffix"),
        ("city.kawasaki.jp", None),
        ("x.kawasaki.jp", "x.kawasaki.jp is a public suffix"),
        ("xn--55qx5d.cn", "xn--55qx5d.cn is a public suffix"),
        ("app.local", "app.local is under .local, which is reserved for multicast DNS (RFC 6762)"),
        ("a.b.internal", "a.b.internal is under .internal"),
        ("app.test", "app.test is under .test"),
        ("app.localhost", "app.localhost is under .localhost"),
        ("app.example", "app.example is under .example"),
        ("app.invalid", "app.invalid is under .invalid"),
        ("nas.home.arpa", "nas.home.arpa is under .home.arpa"),
        ("1.0.0.127.in-addr.arpa", "1.0.0.127.in-addr.arpa is under .in-addr.arpa"),
        ("abcdefghijklmnop.onion", "abcdefghijklmnop.onion is under .onion"),
        ("nas.lan", "nas.lan does not end in a public suffix: .lan is no known top-level domain"),
        ("app.corp", "app.corp does not end in a public suffix"),
        ("wiki.intranet", "wiki.intranet does not end in a public suffix"),
        ("a.b.c.d.e.f.g.h.i.example.com", "a.b.c.d.e.f.g.h.i.example.com has 11 labels"),
        ("ab--cd.example.com", "ab--cd.example.com has a label of a reserved form, ab--cd"),
        # Issued for: private suffixes, and names that only look like the ones above.
        ("github.io", None),
        ("me.github.io", None),
        ("s3.amazonaws.com", None),
        ("uk.com", None),
        ("www.ck", None),
        ("kawasaki.jp", None),
        ("example.co.uk", None),
        ("local.example.com", None),
        ("test.de", None),
        ("onion.ly", None),
        ("a.b.c.d.e.f.g.h.example.com", None),
        ("xn--bcher-kva.example.com", None),
        ("a-b--c.example.com", None),
        (f"{'a' * 63}.{'b' * 63}.example.com", None),
    ],
)
def test_names(name: str, why: str | None, directory: str) -> None:
    found = text("www.example.org", name, directory=directory)
    assert (found is None) is (why is None)
    assert (found or "").startswith(why or "")
    assert refused(PRIVATE_CA, [name], None) is None


@pytest.mark.parametrize(
    ("profile", "most"),
    [(None, 100), ("classic", 100), ("shortlived", 25), ("tlsserver", 25), ("of-another-ca", 100)],
)
def test_the_number_of_names_by_profile(profile: str | None, most: int) -> None:
    names = [f"a{number}.example.com" for number in range(most + 1)]
    assert text(*names[:most], profile=profile) is None
    found = text(*names, profile=profile)
    by = f" with the profile {profile}" if most == 25 else ""
    assert found == f"{most + 1} names are too many for one certificate: Let's Encrypt allows {most}{by}"
    assert refused(PRIVATE_CA, names, profile) is None


def test_each_known_ca_has_rules() -> None:
    assert set(POLICIES) == {LETSENCRYPT, LETSENCRYPT_STAGING}
