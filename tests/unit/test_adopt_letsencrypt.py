"""certbot's renewal files: parsing them, and changing them to renew by the webroot."""

from __future__ import annotations

import json

import pytest

from stackctl.adopt.letsencrypt import contact_of, read_renewal, to_webroot

WEBROOT = "/var/www/certbot"
HEAD = """\
# renew_before_expiry = 30 days
version = 2.11.0
archive_dir = /etc/letsencrypt/archive/a.example.com
cert = /etc/letsencrypt/live/a.example.com/cert.pem
privkey = /etc/letsencrypt/live/a.example.com/privkey.pem
chain = /etc/letsencrypt/live/a.example.com/chain.pem
fullchain = /etc/letsencrypt/live/a.example.com/fullchain.pem

# Options used in the renewal process
[renewalparams]
account = 0123456789abcdef
server = https://acme-v02.api.letsencrypt.org/directory
"""
ARI = "[acme_renewal_info]\nari_retry_after = 2026-11-22T08:01:07\n"
BY_WEBROOT = f"{HEAD}authenticator = webroot\nwebroot_path = {WEBROOT},\n[[webroot_map]]\na.example.com = {WEBROOT}\n"


def test_one_that_already_renews_by_the_webroot_is_not_changed() -> None:
    assert to_webroot(BY_WEBROOT + ARI, ["a.example.com"]) == (BY_WEBROOT + ARI, [])


@pytest.mark.parametrize(
    "params",
    [
        "authenticator = standalone\nstandalone_supported_challenges = http-01\n",
        "authenticator = nginx\ninstaller = nginx\n",
        "authenticator = manual\nmanual_auth_hook = /root/auth.sh\n",
        "authenticator = webroot\nwebroot_path = /var/www/html,\n[[webroot_map]]\na.example.com = /var/www/html\n",
        "authenticator = apache\nkey_type = rsa\nrsa_key_size = 4096\n",
        "",
    ],
)
@pytest.mark.parametrize("tail", ["", ARI])
def test_any_other_authenticator_is_changed_to_the_webroot(params: str, tail: str) -> None:
    text, changes = to_webroot(HEAD + params + tail, ["a.example.com", "b.example.com"])
    renewal = read_renewal(text)
    assert renewal.by_webroot
    assert changes
    assert (renewal.account, renewal.server) == (read_renewal(HEAD).account, read_renewal(HEAD).server)
    assert read_renewal(HEAD + params).key_type == renewal.key_type
    assert read_renewal(HEAD + params).rsa_key_size == renewal.rsa_key_size
    assert f"a.example.com = {WEBROOT}\nb.example.com = {WEBROOT}\n" in text
    assert "standalone" not in text
    assert "manual" not in text
    # The map is the last part of its own section, whatever follows.
    assert text.endswith(tail)
    assert text.index("[[webroot_map]]") > text.index("[renewalparams]")
    assert text.startswith(HEAD.partition("[renewalparams]")[0])
    assert to_webroot(text, ["a.example.com"]) == (text, [])


def test_dns_is_kept_except_for_its_hooks() -> None:
    params = (
        "authenticator = dns-cloudflare\ndns_cloudflare_credentials = /etc/cf.ini\npost_hook = service nginx reload\n"
    )
    text, changes = to_webroot(HEAD + params, ["*.example.com"])
    assert "authenticator = dns-cloudflare\ndns_cloudflare_credentials = /etc/cf.ini\n" in text
    assert changes == ["post_hook is removed: service nginx reload"]


def test_paths_of_an_earlier_tree_are_changed() -> None:
    text, changes = to_webroot(BY_WEBROOT.replace("/etc/letsencrypt", "/srv/le"), ["a.example.com"])
    assert text == BY_WEBROOT
    assert changes == ["paths below /srv/le are changed to /etc/letsencrypt"]


@pytest.mark.parametrize(
    ("accounts", "scripts", "found"),
    [
        (
            [json.dumps({"body": {"contact": ["mailto:ann@example.org"]}})],
            ['email="bob@example.org"'],
            "ann@example.org",
        ),
        (
            [json.dumps({"body": {}, "uri": "https://ca/acct/1"})],
            ['x=1\nemail="bob@example.org" # yes'],
            "bob@example.org",
        ),
        ([], ["EMAIL='bob@example.org'\n"], "bob@example.org"),
        (["not JSON"], ['email=""'], None),
        ([], [], None),
    ],
)
def test_contact_of(accounts: list[str], scripts: list[str], found: str | None) -> None:
    assert contact_of(accounts, scripts) == found
