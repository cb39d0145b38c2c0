"""The files with credentials that certbot's plugins read: what is written, what is refused, and what is never shown."""

from __future__ import annotations

import base64

import pytest

from stackctl.certs import credentials
from stackctl.errors import InputError
from stackctl.model.dns_providers import PROVIDERS, Shape

SECRET = base64.b64encode(b"a secret").decode()
TSIG = {"server": "192.0.2.53", "name": "stackctl", "secret": SECRET}


def test_the_keys_have_the_name_of_the_plugin() -> None:
    content = credentials.from_answers("cloudflare", {"api_token": " token "})
    assert content == b'dns_cloudflare_api_token = "token"\n'
    content = credentials.from_answers("hetzner-cloud", {"api_token": "t"})
    assert content == b'dns_hetzner_cloud_api_token = "t"\n'


def test_what_is_left_out_has_its_default() -> None:
    lines = credentials.from_answers("rfc2136", {**TSIG, "algorithm": "", "port": ""}).decode().splitlines()
    assert 'dns_rfc2136_port = "53"' in lines
    assert 'dns_rfc2136_algorithm = "HMAC-SHA256"' in lines


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"server": "ns1.example.com"}, "'ns1.example.com' is no IP address"),
        ({"port": "0"}, "'0' is no port"),
        ({"algorithm": "md5"}, "'MD5' is no algorithm"),
        ({"secret": "not base64!"}, "not base64"),
        ({"secret": ""}, "there is no secret of the TSIG key"),
        ({"name": "a\tb"}, "a character that cannot be printed"),
    ],
)
def test_a_wrong_answer_is_refused_without_the_secret(more: dict[str, str], words: str) -> None:
    with pytest.raises(InputError) as caught:
        credentials.from_answers("rfc2136", {**TSIG, **more})
    assert words in caught.value.message
    assert SECRET not in f"{caught.value.message} {caught.value.hint}"
    assert caught.value.hint


@pytest.mark.parametrize("token", ["a,b", "a#b", "a'b", 'a"b', "a b", "=", "[x]"])
def test_a_token_is_read_back_as_it_is(token: str) -> None:
    line = credentials.from_answers("linode", {"key": token}).decode().removesuffix("\n")
    value = line.partition(" = ")[2]
    assert value[0] == value[-1]
    assert value[0] not in value[1:-1]
    assert value[1:-1] == token


@pytest.mark.parametrize("token", ["\"'", "%(x)s"])
def test_a_token_that_the_file_cannot_hold_is_refused(token: str) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        credentials.from_answers("linode", {"key": token})


def test_amazons_file_is_that_of_its_own_tools() -> None:
    answers = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "s/e+c"}
    assert credentials.from_answers("route53", answers) == (
        b"[default]\naws_access_key_id = AKIA\naws_secret_access_key = s/e+c\n"
    )


def test_a_key_of_google_and_the_variables_of_lego_are_taken_as_a_whole() -> None:
    assert credentials.from_text("google", '{"type": "service_account"}') == b'{"type": "service_account"}'
    text = credentials.from_text("multi:godaddy", "GODADDY_API_KEY=k\n\nGODADDY_API_SECRET = s=1\n").decode()
    assert text == 'dns_multi_provider = "godaddy"\nGODADDY_API_KEY = "k"\nGODADDY_API_SECRET = "s=1"\n'
    for provider, wrong in (("google", "token"), ("google", "[]"), ("multi:godaddy", ""), ("multi:godaddy", "a: b")):
        with pytest.raises(InputError):
            credentials.from_text(provider, wrong)


def test_each_provider_asks_for_what_it_writes() -> None:
    for name, provider in PROVIDERS.items():
        keys = credentials.questions(name)
        assert bool(keys) is (provider.shape in {Shape.INI, Shape.AWS} and provider.plugin is not None), name
        if keys and name != "rfc2136":
            text = credentials.from_answers(name, {key.name: "x" for key in keys}).decode()
            assert text.count("= ") == len(keys)


@pytest.mark.parametrize(
    ("provider", "lines"),
    [
        ("cloudns", 'dns_cloudns_auth_id = "1"\ndns_cloudns_auth_password = "2"\n'),
        ("gandi", 'dns_gandi_token = "1"\n'),
        ("hetzner-cloud", 'dns_hetzner_cloud_api_token = "1"\n'),
        (
            "ionos",
            'dns_ionos_prefix = "1"\ndns_ionos_secret = "2"\ndns_ionos_endpoint = "https://api.hosting.ionos.com"\n',
        ),
        ("vultr", 'dns_vultr_key = "1"\n'),
    ],
)
def test_the_file_is_as_the_plugin_documents_it(provider: str, lines: str) -> None:
    asked = [key.name for key in credentials.questions(provider) if key.default is None]
    answers = {name: str(number) for number, name in enumerate(asked, 1)}
    assert credentials.from_answers(provider, answers).decode() == lines
