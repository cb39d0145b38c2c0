"""The services of a foreign Compose project, the files of its containers, and the edit of its Compose file."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackctl.adapters.fakes.compose import resolve_project
from stackctl.adapters.nginx_reader import ContainerFiles, read_configuration
from stackctl.adopt.compose_edit import adopted
from stackctl.adopt.compose_layouts import Layout, on_host, read_layout
from stackctl.adopt.nginx_conf import NginxConf
from stackctl.adopt.nginx_proxy import ProxyContext, contact_in, read_variables
from stackctl.adopt.proposal import Handling, Proposal, ProposedSite, ProposedStream
from stackctl.errors import InputError
from stackctl.model.backends import Server
from stackctl.model.endpoints import Endpoint
from stackctl.model.project import Mount, Project
from stackctl.model.streams import stream_port
from stackctl.model.values import Domain, ServiceName
from stackctl.proxies.nginx.proxy import Nginx
from stackctl.proxies.nginx.reader import parse
from stackctl.stackfile.document import Document

A, B = Domain("a.example.com"), Domain("b.example.com")
OLD = """\
# Ann's.
services:
  front:   # the proxy
    image: nginx:1.30
    restart: always
    ports: ["80:80", "443:443"]
    command: [nginx, -g, daemon off;]
    volumes:
      - ./conf.d:/etc/nginx/conf.d   # sites
      - ./static:/srv/static:ro      # files
      - ./data/certbot/conf:/etc/letsencrypt
    labels:
      team: web
  certbot:
    image: certbot/certbot
    entrypoint: /loop.sh
    volumes:
      - ./data/certbot/conf:/etc/letsencrypt
  app: {image: "app:1"}
  web:
    image: web:1
"""


def project(text: str) -> Project:
    return resolve_project(text, "docker-compose.yml", "demo")


def edited(text: str, *sites: ProposedSite, **settings: str | bool) -> Document:
    doc = Document.parse(text, "docker-compose.yml")
    return adopted(doc, Nginx(), read_layout(project(text)), Proposal(tuple(sites)), settings, {})


def site(name: Domain, service: str, lineage: str | None = None, **tuning: str) -> ProposedSite:
    keys = {key.replace("_", "-"): value for key, value in tuning.items()}
    return ProposedSite((name,), Server.of(ServiceName(service), 8000), "x:1", lineage, tuning=keys)


TREE = "./data/certbot/conf:/etc/letsencrypt"


@pytest.mark.parametrize(
    ("certbot", "found"),
    [
        (f"renew: {{image: certbot/dns-cloudflare, volumes: ['{TREE}']}}", "renew"),
        (f"certbot: {{build: ./certbot, volumes: ['{TREE}']}}", "certbot"),
        (f"renew: {{build: ./renew, volumes: ['{TREE}']}}", "renew"),
        (f"reader: {{build: ./renew, volumes: ['{TREE}:ro']}}", None),
        ("other: {image: other}", None),
    ],
)
def test_a_service_that_reads_certbots_tree_is_not_certbot(certbot: str, found: str | None) -> None:
    mail = f"  mail:\n    image: mail:1\n    volumes: ['{TREE}']\n"
    there = project(OLD[: OLD.index("  certbot:")] + mail + f"  {certbot}\n")
    layout = read_layout(there, lambda service, program: (service.name, program) == ("renew", "certbot"))
    assert (layout.certbot and layout.certbot.name) == found


def test_the_file_changes_only_where_it_must() -> None:
    doc = edited(OLD, site(A, "web", f"{A}-0001", read_timeout="90s"), email="ann@example.org")
    text = doc.text
    kept = (
        "# Ann's.",
        "  front:   # the proxy",
        "restart: always",
        '    ports: ["80:80", "443:443"]',
        "team: web",
    )
    assert [line for line in kept if line not in text] == []
    assert "      - ./static:/srv/static:ro      # files\n" in text
    assert "conf.d" not in text
    assert "command:" not in text
    assert "/loop.sh" not in text
    front, certbot = doc.data(("services", "front")), doc.data(("services", "certbot"))
    assert front["labels"]["stackctl.role"] == "proxy"
    assert certbot["labels"]["stackctl.role"] == "certbot"
    assert "./nginx:/etc/nginx:ro" in front["volumes"]
    assert doc.data(("services", "web", "x-stackctl")) == {
        "domains": [A],
        "port": 8000,
        "certificate": f"{A}-0001",
        "read-timeout": "90s",
    }
    assert doc.data(("x-stackctl",)) == {"email": "ann@example.org"}


def test_a_second_site_of_a_service_is_added_to_the_list_of_apps() -> None:
    doc = edited(OLD, site(A, "web"), site(B, "web", body_size="0"))
    apps = [{"domains": [B], "service": "web", "port": 8000, "body-size": "0"}]
    assert doc.data(("x-stackctl", "apps")) == apps


def test_adopting_twice_changes_nothing_more() -> None:
    once = edited(OLD, site(A, "web"))
    layout = read_layout(project(once.text))
    assert layout.proxy.name == "front"
    assert adopted(once, Nginx(), layout, Proposal(), {}, {}).text == once.text


@pytest.mark.parametrize("ports", ['ports: ["127.0.0.1:80:80"]', 'ports:\n      - "127.0.0.1:80:80"'])
def test_a_proxy_with_http_only_gets_the_https_port_too(ports: str) -> None:
    text = OLD.replace('    ports: ["80:80", "443:443"]', f"    {ports}")
    assert edited(text).data(("services", "front", "ports")) == ["127.0.0.1:80:80", "127.0.0.1:443:443"]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/etc/nginx/conf.d/a.conf", "conf.d/a.conf"),
        ("/etc/nginx/conf.d", "conf.d"),
        ("/etc/nginx/nginx.conf", None),
        ("/etc/nginx/conf.d.old/a.conf", None),
        ("/srv/x/y", None),
    ],
)
def test_on_host(path: str, found: str | None) -> None:
    mounts = (Mount("bind", "conf.d", "/etc/nginx/conf.d"), Mount("volume", "data", "/srv/x"))
    assert on_host(mounts, path) == found


@pytest.mark.parametrize(
    ("others", "left"),
    [("", None), ("      - {source: users, target: /srv/users}\n", [{"source": "users", "target": "/srv/users"}])],
)
def test_a_config_that_would_hide_stackctls_files_is_removed(others: str, left: object) -> None:
    configs = f"    configs:\n      - source: main\n        target: /etc/nginx/nginx.conf\n{others}"
    text = OLD.replace("    restart: always\n", f"    restart: always\n{configs}")
    assert edited(text).data(("services", "front")).get("configs") == left


def test_a_volume_where_stackctl_has_memory_is_dropped() -> None:
    volumes = "    volumes:\n      - var:/var/lib/letsencrypt\n      - ./cache:/tmp/cache\n"
    front = "services:\n  front:\n    image: nginx:1\n    ports: ['80:80']\n"
    text = f"{front}  certbot:\n    image: certbot/certbot\n{volumes}"
    certbot = edited(f"{text}volumes:\n  var: {{}}\n").data(("services", "certbot"))
    assert not any("var:" in volume for volume in certbot["volumes"])
    assert "./cache:/tmp/cache" in certbot["volumes"], "Compose mounts it into the memory"


@pytest.mark.parametrize("image", ["nginx:1", "haproxy:3.2"])
def test_a_proxy_in_the_hosts_network_is_named(image: str) -> None:
    text = f"services:\n  front:\n    image: {image}\n    network_mode: host\n"
    with pytest.raises(InputError, match="front is a proxy with a 'network_mode'") as caught:
        read_layout(project(text))
    assert "'ports'" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("nginx", "haproxy", "proxy"),
    [("8080:80", "80:80", "lb"), ("80:80", "8404:80", "web"), ("127.0.0.1:8080:80", "443:443", "lb")],
)
def test_the_proxy_of_two_is_the_one_on_the_ports_of_the_web(nginx: str, haproxy: str, proxy: str) -> None:
    text = f'services:\n  web: {{image: "nginx:1", ports: ["{nginx}"]}}\n'
    text += f'  lb: {{image: "haproxy:3.2", ports: ["{haproxy}"]}}\n'
    assert read_layout(project(text)).proxy.name == proxy


def test_nginx_and_haproxy_on_the_ports_of_the_web_are_refused() -> None:
    text = 'services:\n  web: {image: "nginx:1", ports: ["443:443"]}\n  lb: {image: "haproxy:3", ports: ["80:80"]}\n'
    with pytest.raises(InputError, match="web, lb"):
        read_layout(project(text))


def test_two_proxies_are_refused() -> None:
    text = OLD + '  other:\n    image: nginx:1\n    ports: ["81:80"]\n'
    with pytest.raises(InputError, match="front, other"):
        read_layout(project(text))


def test_a_configuration_is_read_with_its_includes_and_links(tmp_path: Path) -> None:
    write(tmp_path, "etc/nginx.conf", "http { include conf.d/*.conf; include sites-enabled/*; include gone.conf; }")
    write(tmp_path, "etc/conf.d/b.conf", "gzip on;")
    write(tmp_path, "etc/conf.d/a.conf", "include /etc/nginx/parts/x;")
    write(tmp_path, "etc/parts/x", "sendfile on;")
    write(tmp_path, "etc/sites-available/app", "server { listen 80; }")
    (tmp_path / "etc/sites-enabled").mkdir()
    (tmp_path / "etc/sites-enabled/app").symlink_to("/etc/nginx/sites-available/app")
    read = read_configuration(files(tmp_path, "./etc:/etc/nginx"), {})
    assert [(one.name, one.at) for one in read[0].inner] == [
        ("sendfile", "etc/parts/x:1"),
        ("gzip", "etc/conf.d/b.conf:1"),
        ("server", "etc/sites-available/app:1"),
        ("include", "etc/nginx.conf:1"),
    ]


def test_a_template_is_read_with_its_variables(tmp_path: Path) -> None:
    write(tmp_path, "templates/default.conf.template", "server { server_name ${HOST}; set $x $host; }")
    read = read_configuration(files(tmp_path, "./templates:/etc/nginx/templates"), {"HOST": "a.example.com"})
    assert [one.head for one in read[0].inner] == ["server_name a.example.com", "set $x $host"]


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def files(root: Path, *volumes: str) -> ContainerFiles:
    lines = "".join(f"      - {volume}\n" for volume in volumes)
    text = f'services:\n  web:\n    image: nginx:1\n    ports: ["80:80"]\n    volumes:\n{lines}'
    return ContainerFiles(root, read_layout(project(text)).proxy, None)


VARIABLES = f"""\
services:
  proxy:
    image: nginxproxy/nginx-proxy:1.6
    ports: ["80:80", "443:443"]
    volumes: ["/var/run/docker.sock:/tmp/docker.sock:ro"]
  companion:
    image: nginxproxy/acme-companion
    environment: {{DEFAULT_EMAIL: ann@example.org}}
  one:
    image: one:1
    environment: {{VIRTUAL_HOST: "{A}, www.{A},*.{A}", HTTPS_METHOD: noredirect}}
  api:
    image: api:1
    environment: ["VIRTUAL_HOST={A}", VIRTUAL_PATH=/api/, VIRTUAL_DEST=/, VIRTUAL_PORT=9000]
  old:
    image: old:1
    environment: {{VIRTUAL_HOST: {A}, VIRTUAL_PATH: "~^/old"}}
  two:
    image: two:1
    environment: {{VIRTUAL_HOST: {B}, VIRTUAL_PORT: "3000", CERT_NAME: shared}}
  twin:
    image: two:1
    environment: {{VIRTUAL_HOST: {B}}}
  api2:
    image: api:1
    environment: {{VIRTUAL_HOST: www.{A}, VIRTUAL_PATH: /api}}
  lost:
    image: x:1
    environment: {{VIRTUAL_HOST: c.example.com, VIRTUAL_PATH: /only/}}
"""


def test_variables_are_read_as_nginx_proxy_reads_them() -> None:
    there = project(VARIABLES)
    layout = read_layout(there)
    assert (layout.nginx_proxy, [one.name for one in layout.helpers]) == (True, ["companion"])
    certs = {f"/etc/nginx/certs/{name}" for name in ("example.com.crt", "example.com.key", "shared.crt", "shared.key")}
    vhosts = {str(A): parse(b"client_max_body_size 2g; add_header X-A b;", f"vhost.d/{A}")}
    context = ProxyContext(lambda _: 8080, certs.__contains__, vhosts)

    proposal = read_variables(NginxConf(), there, context, resolves=True)

    one, two = proposal.sites
    assert (one.domains, str(one.server), one.tuning) == ((A, f"www.{A}"), "one:8080", {"body-size": "2g"})
    assert one.imported == "/etc/nginx/certs/example.com.crt", "of a parent name"
    assert "add_header X-A b;" in one.custom
    [api] = proposal.routes
    assert (api.domains, str(api.path), str(api.server), api.strip) == ((A,), "/api", "api:9000", True)
    assert "location ~^/old {\n    include snippets/proxy.conf;\n    proxy_pass http://kept_old_8080;\n}" in one.custom
    assert "server old:8080 resolve;" in proposal.http
    assert (two.domains, str(two.server), two.imported_key) == ((B,), "two:3000", "/etc/nginx/certs/shared.key")
    lost = [remark.text for remark in proposal.remarks_of(Handling.UNSUPPORTED)]
    assert [text.split(":")[0].split("/")[0] for text in lost] == [
        *(f"VIRTUAL_HOST *.{A}", B, f"www.{A}", "c.example.com")
    ]
    assert [remark.text for remark in proposal.remarks_of(Handling.CHANGED)] == [
        "HTTPS_METHOD=noredirect no longer has an effect",
        f"{A}/api/: the path is in front of what the app's redirects (Location) and cookies name",
        f"www.{A}/api/ is answered by api:9000 too: a path is for all names of a site",
    ]
    assert contact_in(there) == "ann@example.org"


def test_helpers_and_the_engines_socket_are_removed() -> None:
    layout: Layout = read_layout(project(VARIABLES))
    listed = "\n      - /var/run/docker.sock:/tmp/docker.sock:ro"
    doc = Document.parse(VARIABLES.replace('["/var/run/docker.sock:/tmp/docker.sock:ro"]', listed), "f")
    text = adopted(doc, Nginx(), layout, Proposal(), {}, {"proxy": "nginx:1.30"}).text
    assert "docker.sock" not in text
    assert "companion" not in text
    assert 'image: "nginx:1.30"' in text
    assert 'image: "certbot/certbot:v5.6.0"' in text


def test_a_port_of_a_stream_that_cannot_be_rewritten_is_one_message() -> None:
    items = ("80:80", "443:443", "2222:22", "{target: 23, published: 2323}", "'${GIT}:24'")
    text = OLD.replace('["80:80", "443:443"]', "".join(f"\n      - {item}" for item in items))
    there = project(text.replace("${GIT}", "2424"))
    streams = [
        ProposedStream(Endpoint("git", 22), stream_port(str(published)), inside=inside)
        for published, inside in ((2222, 22), (2323, 23), (2424, 24))
    ]

    def done(*streams: ProposedStream) -> Document:
        doc = Document.parse(text, "docker-compose.yml")
        return adopted(doc, Nginx(), read_layout(there), Proposal(streams=streams), {}, {})

    ports = done(*streams[:2]).data(("services", "front", "ports"))
    assert ports == ["80:80", "443:443", "${GIT}:24", "2222:2222", "2323:2323"]
    with pytest.raises(InputError, match="port 2424 of front is published in a form that cannot be edited") as caught:
        done(streams[2])
    assert caught.value.hint == "write it in a line of its own: 2424:24"


def test_a_service_in_braces_gets_its_route_between_them() -> None:
    text = OLD.replace('  app: {image: "app:1"}\n', '  app: {image: "app:1"}   # Bob\'s\n')
    found = edited(text, site(A, "app", None, body_size="2g"), site(B, "web"))
    assert found.data(("services", "app")) == {
        "image": "app:1",
        "x-stackctl": {"domains": [A], "port": 8000, "body-size": "2g"},
    }
    assert '  app: {image: "app:1", x-stackctl: {' in found.text
    assert "}}   # Bob's\n" in found.text
