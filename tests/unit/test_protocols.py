"""What the proxy speaks to an app, and how long it waits for it."""

from __future__ import annotations

import pytest

from stackctl.errors import InputError, StackfileError
from stackctl.model.backends import Server, ServerTls, Speaks
from stackctl.model.routing import everything_to
from stackctl.model.tuning import Tuning
from stackctl.model.values import ServiceName
from stackctl.proxies.nginx.proxy import Nginx
from stackctl.proxies.proxy import SiteTls
from stackctl.stackfile.document import Document
from stackctl.stackfile.read import read_sites
from tests.unit.build import routed, stack

WEB = "services:\n  web:\n    x-stackctl:\n      domains: [example.com]\n      port: 50051\n"


def read(*lines: str) -> tuple[Server, Tuning]:
    (site,) = read_sites(Document.parse(WEB + "".join(f"      {line}\n" for line in lines), "f.yml"))
    return site.servers[0], site.tuning


@pytest.mark.parametrize(
    ("protocol", "speaks", "tls"),
    [
        ("http", Speaks.HTTP, None),
        ("https", Speaks.HTTP, ServerTls()),
        ("grpc", Speaks.GRPC, None),
        ("grpcs", Speaks.GRPC, ServerTls()),
        ("h2c", Speaks.H2C, None),
    ],
)
def test_a_protocol_is_what_is_spoken_with_tls_or_without(protocol: str, speaks: Speaks, tls: ServerTls | None) -> None:
    server, _ = read(f"protocol: {protocol}")
    assert (server.speaks, server.tls) == (speaks, tls)


def test_long_timeouts_give_way_to_a_key_beside_them() -> None:
    assert read("timeouts: long")[1] == Tuning("0", read_timeout="1h", send_timeout="1h")
    assert read("timeouts: long", "body-size: 1g")[1] == Tuning("1g", read_timeout="1h", send_timeout="1h")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["protocol: quic"], "expected grpc, grpcs, h2c, http or https, got .quic."),
        (["timeouts: forever"], "expected long, got .forever."),
        (["protocol: grpc", "path: /api", "strip: true"], "no meaning for gRPC"),
        (["protocol: grpc", "upstream-tls: {verify: false}"], "HTTPS only"),
    ],
)
def test_what_does_not_go_together_is_refused(lines: list[str], message: str) -> None:
    with pytest.raises(StackfileError, match=message):
        read(*lines)


def test_an_upstream_with_https_has_no_other_protocol() -> None:
    item = "x-stackctl:\n  apps: [{domains: [a.example.com], upstream: 'https://10.0.0.5', protocol: grpc}]\n"
    with pytest.raises(StackfileError, match="but the protocol is grpc") as caught:
        read_sites(Document.parse(item, "f.yml"))
    assert caught.value.hint == "write it as 10.0.0.5:443"


@pytest.mark.parametrize("version", [(1, 22, 1), (1, 28, 0), (1, 29, 3)])
def test_http2_to_an_app_needs_a_newer_nginx(version: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"from 1\.29\.4 on") as caught:
        conf(Speaks.H2C, version)
    assert "newer image" in (caught.value.hint or "")


def test_each_protocol_has_its_directives() -> None:
    assert "proxy_http_version 2;" in conf(Speaks.H2C)
    assert "proxy_http_version" not in conf(Speaks.HTTP)
    grpc = conf(Speaks.GRPC, (1, 22, 1))
    assert "set $upstream_of_site " in grpc
    assert "grpc_pass grpc://$upstream_of_site;" in grpc
    assert "proxy_pass" not in grpc


def conf(speaks: Speaks, version: tuple[int, ...] = (1, 30, 4)) -> str:
    site = routed("example.com", *everything_to(Server.of(ServiceName("web"), 50051, speaks=speaks)))
    tls = {site.name: SiteTls("/chain", "/key", frozenset())}
    return Nginx().render(stack(site), [site], tls, version, {}).sites[site.name]["sites/example.com.conf"].decode()
