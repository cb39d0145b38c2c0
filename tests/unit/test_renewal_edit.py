"""certbot's renewal files and cli.ini: what governs renewals is brought in line with x-stackctl."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from stackctl.certs.accounts import account_in_use, accounts_at
from stackctl.certs.cli_ini import aligned_ini
from stackctl.certs.renewal import parse_renewal
from stackctl.certs.renewal_edit import Wanted, aligned
from stackctl.model.acme import LETSENCRYPT, LETSENCRYPT_STAGING, Acme, KeyType
from tests.unit.build import DAY

ACCOUNT = "0123456789abcdef"
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


ECDSA = f"{BY_WEBROOT.replace('[[', 'key_type = ecdsa' + chr(10) + '[[')}"


def wanted(*names: str, **acme: object) -> Wanted:
    """The settings of a stack whose CA has one account."""
    made = Acme(**acme)  # type: ignore[arg-type]
    return Wanted(made, names or ("a.example.com",), frozenset({ACCOUNT}), ACCOUNT, 90 * DAY)


def adopted(text: str, *names: str) -> tuple[str, list[str]]:
    """As adoption does it, which takes the type of keys from the files."""
    params = parse_renewal(text).parameters
    size = int(params.get("rsa_key_size", 2048))
    return aligned(text, wanted(*names, key_type=KeyType(params.get("key_type", "rsa")), key_size=size), adopting=True)


@pytest.mark.parametrize("adopting", [False, True])
def test_one_that_is_in_line_is_not_changed(adopting: bool) -> None:
    assert aligned(ECDSA + ARI, wanted(), adopting=adopting) == (ECDSA + ARI, [])


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
    text, changes = adopted(HEAD + params + tail, "a.example.com", "b.example.com")
    before, after = parse_renewal(HEAD + params).parameters, parse_renewal(text).parameters
    assert changes
    assert (after["authenticator"], after["webroot_path"].strip(",")) == ("webroot", WEBROOT)
    assert parse_renewal(text).webroots == {"a.example.com": WEBROOT, "b.example.com": WEBROOT}
    for key in ("account", "server", "key_type", "rsa_key_size"):
        assert after.get(key) == before.get(key)
    assert "standalone" not in text
    assert "manual" not in text
    # The map is the last part of its own section, whatever follows.
    assert text.endswith(tail)
    assert text.index("[[webroot_map]]") > text.index("[renewalparams]")
    assert text.startswith(HEAD.partition("[renewalparams]")[0])
    assert adopted(text, "a.example.com", "b.example.com") == (text, [])


DNS = "authenticator = dns-cloudflare\ndns_cloudflare_credentials = /etc/cf.ini\npost_hook = service nginx reload\n"


def test_dns_is_kept_except_for_its_hooks() -> None:
    text, changes = adopted(HEAD + DNS, "*.example.com")
    assert "authenticator = dns-cloudflare\ndns_cloudflare_credentials = /etc/cf.ini\n" in text
    assert changes == ["post_hook is removed: service nginx reload"]


@pytest.mark.parametrize("authenticator", ["dns-cloudflare", "dns_rfc2136", "certbot-dns-x:dns-x"])
def test_a_certificate_by_dns_is_never_changed_later(authenticator: str) -> None:
    text = (HEAD + DNS).replace("dns-cloudflare", authenticator) + "renew_hook = x\nkey_type = rsa\n"
    assert aligned(text, wanted("*.example.com", profile="shortlived")) == (text, [])


def test_paths_of_an_earlier_tree_are_changed() -> None:
    text, changes = adopted(BY_WEBROOT.replace("/etc/letsencrypt", "/srv/le"), "a.example.com")
    assert text == BY_WEBROOT
    assert changes == ["paths below /srv/le are changed to /etc/letsencrypt"]


@pytest.mark.parametrize(
    ("line", "change"),
    [
        ("pre_hook = systemctl stop nginx", "pre_hook is removed: systemctl stop nginx"),
        ("post_hook = systemctl start nginx", "post_hook is removed: systemctl start nginx"),
        ("renew_hook = /root/copy.sh", "renew_hook is removed: /root/copy.sh"),
        ("autorenew = False", "autorenew is removed: False"),
        ("reuse_key = True", "reuse_key is removed: True"),
        ("must_staple = True", "must_staple is removed: True"),
        ("allow_subset_of_names = True", "allow_subset_of_names is removed: True"),
        ("required_profile = tlsserver", "required_profile is removed: tlsserver"),
        ("preferred_profile = shortlived", "preferred_profile is removed: shortlived"),
        ("pref_challs = dns-01,", "pref_challs is removed: dns-01,"),
        ("elliptic_curve = secp384r1", "elliptic_curve secp384r1 is changed to secp256r1"),
    ],
)
def test_a_setting_that_differs_is_brought_in_line(line: str, change: str) -> None:
    given = ECDSA.replace("[[webroot_map]]", f"{line}\n[[webroot_map]]")
    text, changes = aligned(given + ARI, wanted())
    assert changes == [change]
    assert line not in text
    assert aligned(text, wanted()) == (text, [])
    assert parse_renewal(text).webroots == parse_renewal(given).webroots


@pytest.mark.parametrize(
    "line", ["renew_hook = sh /var/lib/stackctl/copy-certificates", "preferred_chain = ISRG Root X1"]
)
def test_what_changes_no_renewal_stays(line: str) -> None:
    given = ECDSA.replace("[[webroot_map]]", f"{line}\n[[webroot_map]]")
    assert aligned(given, wanted()) == (given, [])


def test_hooks_stay_where_they_are_wanted() -> None:
    given = ECDSA.replace("[[webroot_map]]", "renew_hook = /root/copy.sh\n[[webroot_map]]")
    assert aligned(given, wanted(hooks=True)) == (given, [])


@pytest.mark.parametrize(
    ("acme", "changes"),
    [
        ({"key_type": KeyType.RSA}, ["key_type ecdsa is changed to rsa"]),
        (
            {"key_type": KeyType.RSA, "key_size": 4096},
            ["key_type ecdsa is changed to rsa", "rsa_key_size none is changed to 4096"],
        ),
        ({"profile": "shortlived"}, ["preferred_profile none is changed to shortlived"]),
        ({"directory": "https://ca.example.com/d"}, [f"server {LETSENCRYPT} is changed to https://ca.example.com/d"]),
        # A trusted certificate is not replaced by one of a CA for tests.
        ({"directory": LETSENCRYPT_STAGING}, []),
    ],
)
def test_what_the_compose_file_declares_is_what_renewals_do(acme: dict[str, object], changes: list[str]) -> None:
    text, found = aligned(ECDSA + ARI, wanted(**acme))
    assert found == changes
    assert aligned(text, wanted(**acme)) == (text, [])


def test_a_ca_without_an_account_is_not_written_to_a_renewal_file() -> None:
    given = replace(wanted(directory="https://ca.example.com/d"), accounts=frozenset(), account=None)
    assert aligned(ECDSA, given) == (ECDSA, [])


@pytest.mark.parametrize(
    ("account", "accounts", "change"),
    [
        (ACCOUNT, {ACCOUNT, "other"}, None),
        ("gone", {ACCOUNT, "other"}, f"account gone is changed to {ACCOUNT}"),
        ("gone", {ACCOUNT}, f"account gone is changed to {ACCOUNT}"),
        (None, {ACCOUNT, "other"}, f"account none is changed to {ACCOUNT}"),
        (None, {ACCOUNT}, None),
    ],
)
def test_an_account_that_certbot_would_ask_for_is_named(
    account: str | None, accounts: set[str], change: str | None
) -> None:
    given = ECDSA.replace(f"account = {ACCOUNT}\n", f"account = {account}\n" if account else "")
    text, changes = aligned(given, replace(wanted(), accounts=frozenset(accounts)))
    assert changes == ([change] if change else [])
    assert (parse_renewal(text).account or ACCOUNT) in accounts


@pytest.mark.parametrize(
    ("value", "lifetime", "kept"),
    [
        ("30 days", 90 * DAY, True),
        ("45 days", 90 * DAY, True),
        ("10 days", 90 * DAY, True),
        ("90 days", 90 * DAY, False),
        ("89 days", 90 * DAY, False),
        ("36500 days", 90 * DAY, False),
        ("1 hour", 90 * DAY, False),
        ("0 days", 90 * DAY, False),
        ("30 days", 7 * DAY, False),
        ("2 days", 6 * DAY, True),
        ("12 hours", DAY, True),
        ("1 month", 90 * DAY, True),
        ("'4 weeks'", 90 * DAY, True),
        ("soon", 90 * DAY, False),
        ("99999999999999999999 days", 90 * DAY, False),
    ],
)
def test_a_time_before_the_expiry_that_renews_in_each_round_or_too_late_is_removed(
    value: str, lifetime: timedelta, kept: bool
) -> None:
    given = f"renew_before_expiry = {value}\n{ECDSA.replace('2.11.0', '5.5.0')}"
    text, changes = aligned(given, replace(wanted(), lifetime=lifetime))
    assert (text == given) is kept
    assert changes == ([] if kept else [f"renew_before_expiry is removed: {value.strip(chr(39))}"])


@pytest.mark.parametrize(
    ("version", "lifetime", "hours"),
    [("2.11.0", 6 * DAY, 72), ("3.3.0", 40 * DAY, 320), ("2.11.0", 90 * DAY, None), ("4.0.0", 6 * DAY, None)],
)
def test_an_old_certbot_does_not_renew_short_lifetimes_in_each_round(
    version: str, lifetime: timedelta, hours: int | None
) -> None:
    text, changes = aligned(ECDSA.replace("2.11.0", version), replace(wanted(), lifetime=lifetime))
    assert text.startswith(f"renew_before_expiry = {hours} hours\n") is (hours is not None)
    assert len(changes) == (hours is not None)
    assert aligned(text, replace(wanted(), lifetime=lifetime)) == (text, [])


@pytest.mark.parametrize(
    "text", ["", "x", "[renewalparams]\n", "[renewalparams]\nauthenticator = nginx\n", "[[\n= 1\n"]
)
def test_a_truncated_file_is_left_to_the_repair_of_the_certificate(text: str) -> None:
    assert aligned(text, wanted()) == (text, [])


# cli.ini


@pytest.mark.parametrize(
    "line",
    [
        "pre-hook = systemctl stop nginx",
        "post-hook: systemctl start nginx",
        "deploy-hook = /root/copy.sh",
        "renew-hook = /root/copy.sh",
        "authenticator = standalone",
        "--authenticator standalone",
        "standalone",
        "installer = nginx",
        "server = https://acme-staging-v02.api.letsencrypt.org/directory",
        "staging = true",
        "test-cert",
        "rsa-key-size = 4096",
        "key_type = rsa",
        "webroot-path = /var/www/html",
        "domains = example.com, www.example.com",
        "dry-run",
        "config-dir = /srv/le",
        "account = 0123",
        "no-autorenew",
        "reuse-key",
        "   preferred-challenges=dns",
    ],
)
def test_a_line_that_governs_renewals_is_disabled(line: str) -> None:
    given = f"# mine\n\nemail = me@example.com\n{line}\n"
    text, changes = aligned_ini(given, hooks=False)
    assert text == f"# mine\n\nemail = me@example.com\n# disabled by stackctl: {line.strip()}\n"
    assert changes == [f"'{line.strip()}' is disabled"]
    assert aligned_ini(text, hooks=False) == (text, [])
    assert (aligned_ini(given, hooks=True)[1] == []) is ("hook" in line)


def test_debians_file_and_settings_without_effect_on_renewals_stay() -> None:
    text = (
        "# Because we are using logrotate for greater flexibility, disable the\n# internal certbot logrotation.\n"
        "max-log-backups = 0\n# Adjust interactive output regarding automated renewal\npreconfigured-renewal = True\n"
        "agree-tos = True\nnon-interactive\ndns-cloudflare-credentials = /root/cf.ini\n; old\n[section]\nverbose"
    )
    assert aligned_ini(text, hooks=False) == (text, [])


# Accounts


def test_the_account_in_use_is_that_of_most_certificates_or_the_newest() -> None:
    home = "acme-v02.api.letsencrypt.org/directory"
    paths = [f"{home}/one", f"{home}/two", "acme-staging-v02.api.letsencrypt.org/directory/three", f"{home}/deep/four"]
    assert accounts_at(LETSENCRYPT, paths) == {"one", "two"}
    created = {"one": "2024-01-01", "two": "2025-01-01"}
    by = {name: parse_renewal(ECDSA.replace(ACCOUNT, name)) for name in ("one", "two", "gone")}
    assert account_in_use(LETSENCRYPT, created, [by["one"], by["one"], by["two"], by["gone"]]) == "one"
    assert account_in_use(LETSENCRYPT, created, [by["gone"]]) == "two"
    assert account_in_use(LETSENCRYPT, created, []) == "two"
    assert account_in_use(LETSENCRYPT, {}, [by["one"]]) is None
