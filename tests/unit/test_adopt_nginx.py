"""Foreign nginx configurations to sites: what is converted, what is kept, and the remarks."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackctl.adopt.proposal import Handling
from stackctl.certs.copied import lineage_pair
from stackctl.errors import ProxyRejected
from stackctl.proxies.nginx.directives import quoted, seconds
from stackctl.proxies.nginx.reader import parse
from tests.unit.adopted import FRAGMENTS, NAME, proposal_of, rendered
from tests.unit.build import UPDATE_GOLDEN

TLS = f"""
    listen 443 ssl;
    server_name {NAME};
    ssl_certificate /etc/letsencrypt/live/{NAME}/fullchain.pem;
    ssl_certificate_key /etc/letsencrypt/live/{NAME}/privkey.pem;
"""


@pytest.mark.parametrize("path", FRAGMENTS, ids=lambda path: path.stem)
def test_proposal(path: Path) -> None:
    expected = path.with_suffix(".expected")
    text = rendered(proposal_of(path.read_text(), path.name))
    if UPDATE_GOLDEN:
        expected.write_text(text)
    assert text == expected.read_text()


@pytest.mark.parametrize("path", FRAGMENTS, ids=lambda path: path.stem)
def test_every_name_is_routed_kept_or_remarked(path: Path) -> None:
    """Every name of a server is a name of a site or of a kept server, or in a remark."""
    text = path.read_text()
    proposal = proposal_of(text, path.name)
    report = rendered(proposal)
    for line in text.splitlines():
        words = line.strip().rstrip(";").split()
        for name in words[1:] if words[:1] == ["server_name"] else ():
            assert name.rstrip(";") in report or name.startswith("_"), name


@pytest.mark.parametrize(
    ("passed", "upstream"),
    [
        ("proxy_pass http://app1:8000;", "app1:8000"),
        ("proxy_pass http://app1:8000/;", "app1:8000"),
        ("proxy_pass http://app1;", "app1:80"),
        ("proxy_pass http://10.0.0.5:9000;", "10.0.0.5:9000"),
        ("proxy_pass http://[2001:db8::5]:9000;", "[2001:db8::5]:9000"),
        ("proxy_pass http://legacy.internal:3000;", "legacy.internal:3000"),
        ("set $u app1:8000; proxy_pass http://$u;", "app1:8000"),
    ],
)
def test_the_upstream_of_a_site(passed: str, upstream: str) -> None:
    proposal = proposal_of(f"server {{ {TLS} location / {{ {passed} proxy_set_header Host $host; }} }}")
    assert [str(site.server) for site in proposal.sites] == [upstream]
    assert not proposal.custom


@pytest.mark.parametrize(
    ("inside", "reason"),
    [
        ("location / { proxy_pass https://app1:8443; }", "is not a plain http:// address"),
        ("location / { proxy_pass http://app1:8000/prefix; }", "is not a plain http:// address"),
        ("location / { proxy_pass http://$arg_to; }", "depends on a variable at run time"),
        ("location / { proxy_pass http://localhost:3000; }", "is not supported"),
        ("location / { root /srv; }", "has no proxy_pass"),
        ("location / { try_files $uri @app; proxy_pass http://app1:8000; }", "has try_files"),
        ("return 301 https://elsewhere.example.org$request_uri; location / { proxy_pass http://app1; }", "before"),
        ("location /only/ { proxy_pass http://app1:8000; }", "it has no 'location /'"),
    ],
)
def test_a_server_that_is_not_a_site_is_kept_unchanged(inside: str, reason: str) -> None:
    proposal = proposal_of(f"server {{ {TLS} {inside} }}")
    assert proposal.sites == ()
    [remark] = [one for one in proposal.remarks_of(Handling.KEPT) if one.text.startswith("the server")]
    assert reason in remark.text
    assert f"server_name {NAME};" in proposal.http
    assert f"ssl_certificate {lineage_pair(NAME).chain};" in proposal.http


def test_an_old_nginx_cannot_keep_names_of_servers() -> None:
    proposal = proposal_of(
        f"server {{ {TLS} location / {{ proxy_pass http://app1:1; }} location /x {{ proxy_pass http://app2:2/y; }} }}",
        resolves=False,
    )
    assert "needs nginx 1.27.3" in proposal.remarks_of(Handling.UNSUPPORTED)[0].text


def test_invalid_syntax_is_refused_with_its_line() -> None:
    with pytest.raises(ProxyRejected) as caught:
        parse(b"server {\n  listen 80;\n", "conf/app.conf")
    assert str(caught.value.where).startswith("conf/app.conf")


@pytest.mark.parametrize(
    ("text", "single"),
    [("60", "60s"), ("60s", "60s"), ("1m30s", "90s"), ("1h", "1h"), ("500ms", "500ms"), ("0", None), ("often", None)],
)
def test_times_are_converted_to_one_unit(text: str, single: str | None) -> None:
    assert seconds(text) == single


@pytest.mark.parametrize(
    ("arg", "written"),
    [
        ("plain", "plain"),
        ("two words", '"two words"'),
        ("", '""'),
        ('say "hi"', '"say \\"hi\\""'),
        (r"\.(png|jp{1}g)$", r'"\.(png|jp{1}g)$"'),
        ("$host", "$host"),
        ("a;b", '"a;b"'),
    ],
)
def test_parameters_are_quoted_if_needed(arg: str, written: str) -> None:
    assert quoted(arg) == written
    assert parse(f"x {written};".encode(), "f")[0].args == (arg,)


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ("listen 443 quic reuseport;", "is no longer served over HTTP/3"),
        (
            "ssl_certificate /etc/ssl/rsa.pem; ssl_certificate_key /etc/ssl/rsa.key;",
            "the first is used; 'key-type: [ecdsa, rsa]'",
        ),
    ],
)
def test_unsupported_features_of_a_site_are_remarked(more: str, text: str) -> None:
    proposal = proposal_of(f"server {{ {TLS} {more} location / {{ proxy_pass http://app1:8000; }} }}")
    assert any(text in remark.text for remark in proposal.remarks_of(Handling.CHANGED))
