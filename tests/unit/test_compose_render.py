"""The services that stackctl writes: valid YAML, safe from Compose's variables, and known again later."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackctl.errors import InputError
from stackctl.model import values
from stackctl.model.acme import KeyType
from stackctl.model.backends import Server
from stackctl.model.endpoints import PortBinding
from stackctl.model.values import Domain, ServiceName
from stackctl.proxies.nginx.proxy import Nginx
from stackctl.stackfile import edit, services
from stackctl.stackfile.document import Document
from stackctl.stackfile.read import read_keys, read_sites
from stackctl.stackfile.services import ServiceParts

DOMAINS = st.from_regex(
    r"[a-z0-9]([a-z0-9-]{0,6}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,6}[a-z0-9])?){0,2}\.[a-z0-9]{2,4}", fullmatch=True
)


def data(block: str) -> Any:
    return Document.parse(block, "block").data()


def valid(name: str) -> bool:
    try:
        values.domain(name)
    except InputError:
        return False
    return True


def settings(**changes: Any) -> str:
    keys: dict[str, Any] = {
        "email": None,
        "agree_tos": False,
        "ca": "letsencrypt",
        "ca_bundle": None,
        "eab_kid": None,
        "key_type": KeyType.ECDSA,
        "key_size": 2048,
    }
    return services.settings_block(**keys | changes)


A = Domain("a.example.com")
PROXY = Nginx().service("nginx", "nginx:1.30", PortBinding(None, 80), PortBinding("127.0.0.1", 8443))
CERTBOT = services.certbot_block("certbot", "certbot/certbot:v5.6.0", proxy="nginx", with_bundle=False)


def test_the_proxy_is_published_where_it_was_requested() -> None:
    body = data(PROXY)["nginx"]
    assert body["ports"] == ["80:80", "127.0.0.1:8443:443"]
    assert body["image"] == "nginx:1.30"
    assert body["labels"]["stackctl.role"] == "proxy"


def test_the_proxy_writes_nowhere_and_holds_few_rights() -> None:
    body = data(PROXY)["nginx"]
    # Temporary files are in a volume of its own, on disk; what is in memory has a size.
    assert [volume for volume in body["volumes"] if not volume.endswith(":ro")] == ["/var/cache/nginx"]
    assert body["tmpfs"] == ["/run:size=16m", "/tmp:size=16m"]
    assert body["mem_limit"] == "2g"
    assert body["read_only"] is True
    assert body["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in body["security_opt"]
    assert not any("docker.sock" in volume for volume in body["volumes"])


def test_the_loops_of_both_services_survive_composes_variables() -> None:
    for block, name in ((PROXY, "nginx"), (CERTBOT, "certbot")):
        script = data(block)[name]["entrypoint"][2]
        assert "$" in script
        assert "$" not in script.replace("$$", "")


def test_the_proxy_reloads_every_six_hours_and_only_what_passes() -> None:
    script = data(PROXY)["nginx"]["entrypoint"][2]
    assert "RELOAD_SECONDS:-21600" in script
    assert 'if accepts "$$chosen"; then load "$$chosen"; elif sift; then load "$$left"; else return 1; fi' in script


def test_certbot_has_a_loop_and_takes_arguments() -> None:
    body = data(CERTBOT)["certbot"]
    assert body["entrypoint"][:2] == ["/bin/sh", "-c"]
    assert body["entrypoint"][3:] == ["certbot"], "the first argument of a command is $1"
    assert body["labels"]["stackctl.role"] == "certbot"


def test_certbot_trusts_a_bundle_where_there_is_one() -> None:
    body = data(services.certbot_block("certbot", "c:1", proxy="nginx", with_bundle=True))["certbot"]
    assert body["environment"] == {"REQUESTS_CA_BUNDLE": "/etc/stackctl/ca/bundle.pem"}
    assert "environment" not in data(CERTBOT)["certbot"]


@pytest.mark.parametrize(("block", "name"), [(PROXY, "nginx"), (CERTBOT, "certbot")])
def test_a_service_carries_the_digest_of_what_was_written(block: str, name: str) -> None:
    body = data(block)[name]
    assert body["labels"]["stackctl.written"] == services.owned_digest(body)


def test_the_digest_is_of_the_owned_keys_alone() -> None:
    body = data(PROXY)["nginx"]
    digest = services.owned_digest(body)
    assert services.owned_digest({**body, "image": "other", "ports": [], "restart": "no"}) == digest
    for key in services.OWNED_KEYS:
        assert services.owned_digest({**body, key: "changed by hand"}) != digest


@pytest.mark.parametrize("key", [key for key in services.OWNED_KEYS if key in data(PROXY)["nginx"]])
def test_an_owned_key_can_be_taken_out_and_put_back_as_it_was(key: str) -> None:
    entry = services.entry_of(PROXY, "nginx", key)
    assert entry
    assert data(entry) == {key: data(PROXY)["nginx"][key]}
    doc = Document.parse(PROXY, "block")
    assert edit.replace(doc, ("nginx", key), entry).data() == doc.data()


def test_a_key_that_a_service_has_not_is_no_entry() -> None:
    assert services.entry_of(CERTBOT, "certbot", "healthcheck") is None


def test_a_new_file_reads_back() -> None:
    text = services.stackfile(settings(email="you@example.com", agree_tos=True), [PROXY, CERTBOT])
    doc = Document.parse(text, "f.yml")
    assert list(doc.data(("services",))) == ["nginx", "certbot"]
    keys = read_keys(doc)
    assert (keys.email, keys.agree_tos, keys.ca) == ("you@example.com", True, "letsencrypt")
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert "\t" not in text
    assert not [line for line in text.split("\n") if line != line.rstrip()]


def test_settings_say_what_was_asked_and_nothing_that_is_a_default() -> None:
    assert data(settings()) == {"agree-tos": False, "ca": "letsencrypt"}
    assert data(
        settings(key_type=KeyType.RSA, key_size=4096, ca_bundle="data/ca/bundle.pem", ca="https://ca.test/")
    ) == {
        "agree-tos": False,
        "ca": "https://ca.test/",
        "ca-bundle": "data/ca/bundle.pem",
        "key-type": "rsa",
        "rsa-key-size": 4096,
    }


def test_an_app_is_a_service_with_its_route() -> None:
    body = data(services.app_block("web", ServiceParts("web:1", "./web.env"), [A, Domain("www.example.com")], 3000))[
        "web"
    ]
    assert body["image"] == "web:1"
    assert body["expose"] == ["3000"]
    assert body["env_file"] == ["./web.env"]
    assert body["labels"] == {"stackctl.role": "app"}
    assert body["x-stackctl"] == {"domains": ["a.example.com", "www.example.com"], "port": 3000}
    assert "env_file" not in data(services.app_block("web", ServiceParts("web:1"), [A], 3000))["web"]


@pytest.mark.parametrize("path", ["./a b.env", './a".env', "/e/#1.env", "./$HOME.env", "./ä: b.env", "./a'b\\c.env"])
def test_any_path_of_an_env_file_is_quoted(path: str) -> None:
    body = data(services.app_block("web", ServiceParts("web:1", path), [A], 3000))["web"]
    assert body["env_file"] == [path.replace("$", "$$")]


@pytest.mark.parametrize("service", ["web", "360", "true", "null", "1e5", "0x1f", "no", "1.0", "1-2", "0o7"])
def test_a_service_name_stays_text_for_compose(service: str) -> None:
    # Compose refuses a key that YAML takes for a number, a boolean or null: "non-string key in services".
    doc = Document.parse(services.app_block(service, ServiceParts("web:1"), [A], 3000), "block")
    (key,) = doc.own_keys(())
    assert key.value == service
    assert key.tag == "tag:yaml.org,2002:str"
    outside = services.outside_block([Domain("a.example.com")], upstream=None, service=service, port=80)
    assert data(f"apps:\n{outside}")["apps"][0]["service"] == service


@given(st.lists(DOMAINS.filter(valid), min_size=1, max_size=3, unique=True), st.integers(1, 65535))
def test_a_route_reads_back_as_the_app_it_was_made_from(domains: list[str], port: int) -> None:
    names = tuple(map(Domain, domains))
    doc = Document.parse("services:\n  web:\n    image: x\n", "f.yml")
    (read,) = read_sites(edit.add_entry(doc, ("services", "web"), services.route_block(names, port)))
    assert (read.domains, read.servers) == (names, (Server.of(ServiceName("web"), port),))


@given(
    st.lists(DOMAINS.filter(valid), min_size=1, max_size=3, unique=True),
    st.sampled_from(["10.0.0.5:80", "[2001:db8::1]:80", "h:1"]),
)
def test_an_app_outside_reads_back(domains: list[str], upstream: str) -> None:
    block = services.outside_block([Domain(name) for name in domains], upstream=upstream, service=None, port=None)
    (read,) = read_sites(edit.add_item(Document.parse("services: {}\n", "f.yml"), ("x-stackctl", "apps"), block))
    assert (read.domains, [str(server) for server in read.servers]) == (tuple(domains), [upstream])


def test_one_more_site_of_a_service_reads_back() -> None:
    block = services.outside_block([Domain("a.example.com")], upstream=None, service="web", port=9000)
    doc = Document.parse("services:\n  web:\n    image: x\n", "f.yml")
    (read,) = read_sites(edit.add_item(doc, ("x-stackctl", "apps"), block))
    assert read.servers == (Server.of(ServiceName("web"), 9000),)


@pytest.mark.parametrize("value", ["a b", "yes", "5", "${X}", "a: b", 5, True, False])
def test_a_value_of_x_stackctl_reads_back(value: str | int) -> None:
    assert data(f"key: {services.render_value(value)}\n") == {"key": value}
