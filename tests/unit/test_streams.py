"""Streams: how they are read, how their ports are published, and what the user's own files must not take."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stackctl.errors import StackfileError
from stackctl.model.endpoints import Endpoint, PortBinding
from stackctl.model.fields import Request
from stackctl.model.http3 import Http3
from stackctl.model.project import Project, PublishedPort, Service
from stackctl.model.streams import Stream, Transport, stream_named, stream_port
from stackctl.model.values import Domain, ServiceName
from stackctl.proxies.nginx.capabilities import Capabilities
from stackctl.proxies.nginx.proxy import Nginx
from stackctl.proxies.nginx.streams import needed_for_streams, refuse_clashes
from stackctl.stackfile.document import Document
from stackctl.stackfile.read import read_stack
from stackctl.stackfile.stream_ports import NOTE, NOTE_HTTP3, with_ports
from tests.unit.build import project, site
from tests.unit.goldens import STREAMS, Case, rendered, with_streams

TEXT = """\
services:
  web:
    x-stackctl: {domains: [example.com], port: 8000}
  Db:
    image: postgres
x-stackctl:
  streams:
"""


def read(*items: str) -> tuple[Stream, ...]:
    text = TEXT + "".join(f"    - {item}\n" for item in items)
    return read_stack(Document.parse(text, "f.yml"), project()).streams


def test_a_stream_has_a_port_or_a_name() -> None:
    assert read(
        "{listen: 5432, upstream: 'db:5432', allow: [192.0.2.0/24, 2001:db8::1]}",
        "{listen: 5432/udp, upstream: '10.0.0.5:1'}",
        "{listen: '[::1]:6379', upstream: 'cache.internal:6379', allow: 192.0.2.1}",
        "{sni: Mail.example.com, upstream: 'mail:443'}",
    ) == (
        replace(
            Stream(Endpoint("Db", 5432), stream_port("5432"), ServiceName("Db"), where="f.yml:8"),
            allow=tuple(read("{listen: 1, upstream: 'a:1', allow: [192.0.2.0/24, 2001:db8::1]}")[0].allow),
        ),
        Stream(Endpoint("10.0.0.5", 1), stream_port("5432/udp"), where="f.yml:9"),
        Stream(
            Endpoint("cache.internal", 6379),
            stream_port("[::1]:6379"),
            allow=read("{listen: 1, upstream: 'a:1', allow: 192.0.2.1}")[0].allow,
            where="f.yml:10",
        ),
        Stream(Endpoint("mail", 443), Domain("mail.example.com"), where="f.yml:11"),
    )


@pytest.mark.parametrize(
    ("items", "where", "words"),
    [
        (["{upstream: 'db:1'}"], "f.yml:8", "either 'listen'"),
        (["{listen: 1, sni: a.example.com, upstream: 'db:1'}"], "f.yml:8", "either 'listen'"),
        (["{listen: 0, upstream: 'db:1'}"], "f.yml:8", "not between 1 and 65535"),
        (["{listen: x, upstream: 'db:1'}"], "f.yml:8", "is not PORT or ADDRESS:PORT"),
        (["{listen: 1/sctp, upstream: 'db:1'}"], "f.yml:8", "neither TCP nor UDP"),
        (["{listen: 443, upstream: 'db:1'}"], "f.yml:8", "port 443 is the proxy's own"),
        (["{listen: '127.0.0.1:80', upstream: 'db:1'}"], "f.yml:8", "port 80 is the proxy's own"),
        (["{listen: 1, upstream: db}"], "f.yml:8", "is not HOST:PORT"),
        (["{listen: 1, upstream: 'tcp://db:1'}"], "f.yml:8", "has a scheme"),
        (["{listen: 1, upstream: 'nginx:1'}"], "f.yml:8", "the proxy itself"),
        (["{listen: 1, upstream: '127.0.0.1:1'}"], "f.yml:8", "the container itself"),
        (["{listen: 1, upstream: 'db:1', allow: [all]}"], "f.yml:8", "is not a network"),
        (["{listen: 1, upstream: 'db:1', to: x}"], "f.yml:8", "has no key 'to'"),
        (["{sni: '*.example.com', upstream: 'db:1'}"], "f.yml:8", "is a wildcard"),
        (["{sni: example.com, upstream: 'db:1'}"], "f.yml:8", "example.com is routed twice"),
        (
            ["{listen: 1, upstream: 'db:1'}", "{listen: '127.0.0.1:1', upstream: 'db:2'}"],
            "f.yml:9",
            "port 1/tcp has two streams",
        ),
        (["{sni: a.example, upstream: 'a:1'}", "{sni: A.example, upstream: 'b:2'}"], "f.yml:9", "routed twice"),
    ],
)
def test_what_is_wrong_is_reported_with_its_line(items: list[str], where: str, words: str) -> None:
    with pytest.raises(StackfileError) as caught:
        read(*items)
    assert caught.value.where == where
    assert words in str(caught.value)


def test_two_owners_are_both_named() -> None:
    with pytest.raises(StackfileError) as caught:
        read("{sni: example.com, upstream: 'db:1'}")
    assert caught.value.hint == "see f.yml:3"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("5432", "5432/tcp"),
        ("5432/tcp", "5432/tcp"),
        ("53/udp", "53/udp"),
        ("127.0.0.1:5432", "5432/tcp"),
        ("Mail.example.com", "mail.example.com"),
    ],
)
def test_a_stream_is_called_by_its_port_or_its_name(text: str, name: str) -> None:
    assert stream_named((), text) == (name, None)


# Ports

FILE = """\
services:
  nginx:
    ports:  # of the proxy
      - "80:80"
      - 443:443
    restart: always
"""
WEB = (PublishedPort(80, PortBinding(None, 80)), PublishedPort(443, PortBinding(None, 443)))


def edited(text: str, *listens: str, ports: tuple[PublishedPort, ...] = ()) -> str:
    streams = [Stream(Endpoint("db", 1), stream_port(one)) for one in listens]
    service = replace(_proxy(project()), ports=(*WEB, *ports))
    return with_ports(Document.parse(text, "f.yml"), streams, service).text


def _proxy(made: Project) -> Service:
    return made.services["nginx"]


def test_ports_are_published_and_removed_with_their_streams() -> None:
    one = edited(FILE, "5432", "127.0.0.1:53/udp")
    wanted = f'      - "5432:5432" {NOTE}\n      - "127.0.0.1:53:53/udp" {NOTE}\n'
    assert one == FILE.replace("      - 443:443\n", f"      - 443:443\n{wanted}")
    there = PublishedPort(5432, PortBinding(None, 5432)), PublishedPort(53, PortBinding(None, 53), Transport.UDP)
    assert edited(one, "5432", "127.0.0.1:53/udp", ports=there) == one
    assert edited(one, "127.0.0.1:5432", ports=there) == FILE.replace(
        "      - 443:443\n", f'      - 443:443\n      - "127.0.0.1:5432:5432" {NOTE}\n'
    )
    assert edited(one, ports=there) == FILE


def test_a_port_of_the_users_own_stays() -> None:
    text = FILE.replace("443:443\n", '443:443\n      - "15432:5432"\n')
    assert edited(text, "5432", ports=(PublishedPort(5432, PortBinding(None, 15432)),)) == text
    assert edited(text, ports=(PublishedPort(5432, PortBinding(None, 15432)),)) == text


def test_the_udp_port_of_http3_is_published_and_removed() -> None:
    def with_http3(text: str, *ports: PublishedPort, on: bool = True) -> str:
        service = replace(_proxy(project()), ports=(*WEB, *ports))
        return with_ports(
            Document.parse(text, "f.yml"), [], service, Http3(PortBinding(None, 8443)) if on else None
        ).text

    item = f'      - "8443:443/udp" {NOTE_HTTP3}\n'
    there = PublishedPort(443, PortBinding(None, 8443), Transport.UDP)
    wanted = FILE.replace("      - 443:443\n", f"      - 443:443\n{item}")
    assert with_http3(FILE) == wanted
    assert with_http3(wanted, there) == wanted
    assert with_http3(wanted, there, on=False) == FILE
    own = FILE.replace("443:443\n", "443:443\n      - 443:443/udp\n")
    assert with_http3(own, PublishedPort(443, PortBinding(None, 443), Transport.UDP)) == own, "the user's own stays"


@pytest.mark.parametrize(
    ("text", "where", "words"),
    [
        ("services:\n  nginx:\n    ports: ['80:80', '443:443']\n", "f.yml:3", "in flow style"),
        ("services:\n  web: {}\n", None, "nginx is in another file"),
    ],
)
def test_a_list_that_cannot_be_edited_is_refused(text: str, where: str | None, words: str) -> None:
    with pytest.raises(StackfileError) as caught:
        edited(text, "5432")
    assert caught.value.where == where
    assert words in caught.value.message
    assert caught.value.hint == 'add "5432:5432" to the ports of nginx by hand; nothing was changed'


# nginx


@pytest.mark.parametrize(
    ("printed", "needed"),
    [
        ("configure arguments: --with-stream --with-stream_ssl_module", ""),
        ("configure arguments: --with-stream_ssl_module --with-stream", ""),
        (
            "--with-stream=dynamic --with-stream_ssl_module\n/usr/lib/nginx/modules/ngx_stream_module.so\n",
            "/usr/lib/nginx/modules/ngx_stream_module.so",
        ),
        (
            "--with-stream=dynamic\nls: cannot access '/usr/lib/nginx/modules/ngx_stream_module.so': No such file\n",
            None,
        ),
        ("configure arguments: --with-stream_ssl_module", None),
    ],
)
def test_an_image_has_streams_built_in_or_in_a_file(printed: str, needed: str | None) -> None:
    assert needed_for_streams(printed) == needed


def test_each_stream_has_files_of_its_own() -> None:
    nginx = Nginx()
    stack = with_streams(site("a.example.com"), streams=STREAMS)
    files = {
        path: body for own in nginx.render(stack, (), {}, (1, 30, 4), {}).streams.values() for path, body in own.items()
    }
    assert {nginx.site_of(path) for path in files} == {stream.name for stream in STREAMS} == nginx.sites_in(files)
    for name in (STREAMS[0].name, STREAMS[2].name):
        assert nginx.parked(nginx.parked_note(name, "why")) == {name: "why"}
        assert nginx.sites_in(nginx.parked_note(name, "why")) == set()


@pytest.mark.parametrize("streams", [(), STREAMS])
def test_a_request_for_a_site_is_traced_beside_streams(streams: tuple[Stream, ...]) -> None:
    files = rendered(Case(with_streams(site("a.example.com"), streams=streams)), "1.30")
    found = Nginx().tracer(files, "a.example.com")(Request("GET", "/"), 443)
    assert found is not None
    assert found.server.text == "server a.example.com"


@pytest.mark.parametrize(
    ("directive", "words"),
    [
        ("server { listen 443 ssl; }", "port 443 belongs to the stream"),
        ("server { listen [::]:5432; }", "port 5432 belongs to the stream"),
        ("real_ip_header CF-Connecting-IP;", "real_ip_header CF-Connecting-IP does not go together"),
    ],
)
def test_the_users_own_files_cannot_take_a_port_of_a_stream(directive: str, words: str) -> None:
    custom = {"http.conf": f"# Mine.\n{directive}\n".encode()}
    old = Capabilities.of((1, 22, 1))
    with pytest.raises(StackfileError) as caught:
        refuse_clashes(with_streams(site("a.example.com"), streams=STREAMS), custom, old)
    assert caught.value.where == "nginx/custom/http.conf:2"
    assert words in caught.value.message
    refuse_clashes(with_streams(site("a.example.com"), streams=STREAMS[1:2]), custom, old)


def test_real_addresses_of_the_users_own_go_together_with_a_passthrough_that_takes_no_second_connection() -> None:
    custom = {"http.conf": b"real_ip_header CF-Connecting-IP;\n"}
    refuse_clashes(with_streams(site("a.example.com"), streams=STREAMS), custom, Capabilities.of((1, 26, 3)))
