"""The annotated example is read by the program's own reader."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from stackctl.adapters.fakes.engine import FakeEngine
from stackctl.model.stack import TlsPolicy
from stackctl.stackfile.access_keys import AccessKeys, ForwardAuthKeys
from stackctl.stackfile.answer_keys import AnswerKeys, MaintenanceKeys, RedirectKeys, UnknownKeys
from stackctl.stackfile.balance_keys import CanaryKeys, StickyKeys, UpstreamKeys
from stackctl.stackfile.behind_keys import BehindKeys
from stackctl.stackfile.client_keys import ClientCertificateKeys
from stackctl.stackfile.dns_keys import DnsKeys
from stackctl.stackfile.document import Document
from stackctl.stackfile.header_keys import HeadersKeys, HstsKeys, RequestHeadersKeys
from stackctl.stackfile.limit_keys import RateLimitKeys
from stackctl.stackfile.read import read_stack
from stackctl.stackfile.schema import AppKeys, MatchKeys, RouteKeys, ServiceKeys, StackKeys, known_keys
from tests.docs.pages import ROOT

SHAPES = (
    *(StackKeys, ServiceKeys, AppKeys, RouteKeys, MatchKeys, AnswerKeys),
    *(RedirectKeys, MaintenanceKeys, UnknownKeys, UpstreamKeys, StickyKeys, CanaryKeys, DnsKeys),
    *(
        ClientCertificateKeys,
        AccessKeys,
        ForwardAuthKeys,
        RateLimitKeys,
        HeadersKeys,
        HstsKeys,
        RequestHeadersKeys,
        BehindKeys,
    ),
)
EXAMPLE = ROOT / "docs" / "examples" / "docker-compose.yml"


def test_the_example_has_the_values_its_comments_describe(tmp_path: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    doc = Document.parse(text, EXAMPLE.name)
    stack = read_stack(doc, FakeEngine(tmp_path, _never).resolve(text))

    assert {site.name: " ".join(map(str, site.servers)) for site in stack.sites} == {
        "blog.example.com": "blog:2368",
        "shop.example.com": "shop:8000 shop:8001 api:3000",
        "admin.example.com": "shop:9000",
        "legacy.example.com": "172.17.0.1:3000",
        "app.example.com": "10.0.0.11:80 10.0.0.12:80 10.0.0.13:80 shop:8002",
        "*.example.org": "10.0.0.31:80",
        "cache.example.com": "10.0.0.21:80 10.0.0.22:80",
        "old.example.com": "",
        "shop.example.net": "",
    }
    aliases = [site.aliases for site in stack.sites if site.aliases]
    assert aliases == [("www.blog.example.com",), ("www.old.example.com",)]
    assert [site.tuning.body_size for site in stack.sites if site.servers] == [
        "32m",
        "2g",
        "32m",
        "32m",
        "32m",
        "32m",
        "32m",
    ]
    assert [site.redirect.status for site in stack.sites if site.redirect] == [308, 308]
    assert sorted(page.path for page in stack.page_files) == [
        "certs/clients.crl",
        "certs/clients.pem",
        "lists/blocked.txt",
        "pages/502.html",
        "pages/blog-503.html",
        "secrets/shop.htpasswd",
    ]
    assert (stack.proxy.service, stack.certbot, stack.tls) == ("nginx", "certbot", TlsPolicy.MODERN)


def test_the_example_shows_every_key() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    for shape in SHAPES:
        for key in known_keys(shape):
            assert f"{key}:" in text, key


def _never() -> datetime:
    raise AssertionError("reading asks no clock")
