"""Foreign nginx configurations to sites: what is understood, what is kept, and what is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackctl.adopt.proposal import Fate
from stackctl.errors import ProxyRejected
from stackctl.proxies.nginx.directives import quoted, seconds
from stackctl.proxies.nginx.reader import parse
from tests.unit.adopted import FRAGMENTS, NAME, proposal_of, told
from tests.unit.build import UPDATE_GOLDEN

TLS = f"""
    listen 443 ssl;
    server_name {NAME};
    ssl_certificate /etc/letsencrypt/live/{NAME}/fullchain.pem;
    ssl_certificate_key /etc/letsencrypt/live/{NAME}/privkey.pem;
"""


@pytest.mark.parametrize("path", FRAGMENTS, ids=lambda path: path.stem)
def test_what_becomes_of_it(path: Path) -> None:
    expected = path.with_suffix(".expected")
    text = told(proposal_of(path.read_text(), path.name))
    if UPDATE_GOLDEN:
        expected.write_text(text)
    assert text == expected.read_text()


@pytest.mark.parametrize("path", FRAGMENTS, ids=lambda path: path.stem)
def test_no_name_is_lost_without_a_word(path: Path) -> None:
    """Every name that a server has is a site's, stands in a kept server, or is remarked."""
    text = path.read_text()
    proposal = proposal_of(text, path.name)
    said = told(proposal)
    for line in text.splitlines():
        words = line.strip().rstrip(";").split()
        for name in words[1:] if words[:1] == ["server_name"] else ():
            assert name.rstrip(";") in said or name.startswith("_"), name


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
def test_where_a_site_leads(passed: str, upstream: str) -> None:
    proposal = proposal_of(f"server {{ {TLS} location / {{ {passed} proxy_set_header Host $host; }} }}")
    assert [str(site.server) for site in proposal.sites] == [upstream]
    assert not proposal.custom


@pytest.mark.parametrize(
    ("inside", "reason"),
    [
        ("location / { proxy_pass https://app1:8443; }", "is more than an address"),
        ("location / { proxy_pass http://app1:8000/prefix; }", "is more than an address"),
        ("location / { proxy_pass http://$arg_to; }", "is decided while it runs"),
        ("location / { proxy_pass http://localhost:3000; }", "has no place"),
        ("location / { root /srv; }", "passes nothing on"),
        ("location / { try_files $uri @app; proxy_pass http://app1:8000; }", "tries files first"),
        ("return 301 https://elsewhere.example.org$request_uri; location / { proxy_pass http://app1; }", "before"),
        ("location /only/ { proxy_pass http://app1:8000; }", "it has no 'location /'"),
    ],
)
def test_what_is_no_plain_site_is_kept_as_it_is(inside: str, reason: str) -> None:
    proposal = proposal_of(f"server {{ {TLS} {inside} }}")
    assert proposal.sites == ()
    [remark] = [one for one in proposal.with_fate(Fate.KEPT) if one.text.startswith("the server")]
    assert reason in remark.text
    assert f"server_name {NAME};" in proposal.http
    assert f"ssl_certificate /etc/letsencrypt/live/{NAME}/fullchain.pem;" in proposal.http


def test_an_old_nginx_cannot_keep_names_of_servers() -> None:
    proposal = proposal_of(
        f"server {{ {TLS} location / {{ proxy_pass http://app1:1; }} location /x {{ proxy_pass http://app2:2/y; }} }}",
        resolves=False,
    )
    assert "needs nginx 1.27.3" in proposal.with_fate(Fate.LOST)[0].text


def test_what_is_no_nginx_is_refused_with_its_line() -> None:
    with pytest.raises(ProxyRejected) as caught:
        parse(b"server {\n  listen 80;\n", "conf/app.conf")
    assert str(caught.value.where).startswith("conf/app.conf")


@pytest.mark.parametrize(
    ("text", "single"),
    [("60", "60s"), ("60s", "60s"), ("1m30s", "90s"), ("1h", "1h"), ("500ms", "500ms"), ("0", None), ("often", None)],
)
def test_times_get_one_unit(text: str, single: str | None) -> None:
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
def test_parameters_are_quoted_where_they_must_be(arg: str, written: str) -> None:
    assert quoted(arg) == written
    assert parse(f"x {written};".encode(), "f")[0].args == (arg,)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("listen 443 quic reuseport;", "is served by HTTP/3 no more"),
        ("ssl_certificate /etc/ssl/rsa.pem; ssl_certificate_key /etc/ssl/rsa.key;", "a site has one certificate"),
    ],
)
def test_what_a_site_has_no_more_is_told(more: str, said: str) -> None:
    proposal = proposal_of(f"server {{ {TLS} {more} location / {{ proxy_pass http://app1:8000; }} }}")
    assert any(said in remark.text for remark in proposal.with_fate(Fate.CHANGED))
