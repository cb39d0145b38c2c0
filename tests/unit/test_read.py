"""Reading: what x-stackctl says becomes a Stack, and what is wrong is said with file and line."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from stackctl.errors import ExitCode, StackfileError
from stackctl.model.acme import LETSENCRYPT, LETSENCRYPT_STAGING, Acme, KeyType
from stackctl.model.backends import Server, ServerTls
from stackctl.model.endpoints import Endpoint, Listener, PortBinding, Scheme
from stackctl.model.project import Project, Service
from stackctl.model.routing import Site, everything_to
from stackctl.model.stack import Stack, TlsPolicy
from stackctl.model.tuning import Tuning
from stackctl.model.values import ServiceName
from stackctl.stackfile.document import Document
from stackctl.stackfile.read import read_keys, read_sites, read_stack, variables
from tests.unit.build import CERTBOT, GOLDEN, NGINX, project, service

SERVICES = """\
services:
  web:
    image: web
    x-stackctl:
      domains:
        - example.com
        - www.example.com
      port: 8000
"""


def parse(text: str) -> Document:
    return Document.parse(text, "f.yml")


def read(text: str, found: Project | None = None) -> Stack:
    return read_stack(parse(text), found or project())


def sites(text: str) -> tuple[Site, ...]:
    return read_sites(parse(text))


def refusal(text: str, found: Project | None = None) -> StackfileError:
    with pytest.raises(StackfileError) as caught:
        read(text, found)
    assert caught.value.code is ExitCode.STACKFILE
    return caught.value


def said(text: str) -> str:
    return str(refusal(text))


# What is meant


def test_a_file_without_x_stackctl_is_a_stack_of_defaults() -> None:
    stack = read("services: {}\n")
    assert stack.sites == ()
    assert stack.acme == Acme()
    assert stack.acme.directory == LETSENCRYPT
    assert stack.tls is TlsPolicy.INTERMEDIATE
    assert (stack.proxy.service, stack.proxy.image, stack.certbot) == ("nginx", "nginx:1.30", "certbot")
    assert stack.proxy.http == Listener(Scheme.HTTP, 80, PortBinding(None, 80))
    assert stack.proxy.https == Listener(Scheme.HTTPS, 443, PortBinding(None, 443))


def test_every_key_at_the_top_has_its_meaning() -> None:
    stack = read(
        """\
x-stackctl:
  email: You@Example.com
  agree-tos: true
  ca: letsencrypt-staging
  ca-bundle: data/ca/bundle.pem
  eab-kid: kid-1
  key-type: rsa
  rsa-key-size: 4096
  profile: shortlived
  concurrency: 4
  tls: modern
  proxy: nginx
"""
    )
    assert stack.acme == Acme(
        directory=LETSENCRYPT_STAGING,
        email="You@example.com",
        agree_tos=True,
        bundle="data/ca/bundle.pem",
        eab_kid="kid-1",
        key_type=KeyType.RSA,
        key_size=4096,
        profile="shortlived",
        concurrency=4,
    )
    assert stack.tls is TlsPolicy.MODERN


def test_a_ca_may_be_an_url() -> None:
    assert read("x-stackctl:\n  ca: https://pebble:14000/dir\n").acme.directory == "https://pebble:14000/dir"


def test_a_service_with_a_route_is_an_app() -> None:
    (site,) = sites(SERVICES)
    assert site.domains == ("example.com", "www.example.com")
    (route,) = site.routes
    assert (replace(route, where=""),) == everything_to(Server(Endpoint("web", 8000), ServiceName("web")))
    assert (site.services, [str(server) for server in site.servers]) == (("web",), ["web:8000"])
    assert site.where == "f.yml:4"
    assert (site.name, site.aliases) == ("example.com", ("www.example.com",))


def test_names_become_canonical() -> None:
    (site,) = sites(SERVICES.replace("- example.com", "- MÜNCHEN.de."))
    assert site.domains == ("xn--mnchen-3ya.de", "www.example.com")


def test_apps_at_the_top_are_outside_compose_or_one_more_site_of_a_service() -> None:
    outside, more = sites(
        """\
x-stackctl:
  apps:
    - domains: [legacy.example.com]
      upstream: "[2001:DB8::5]:8080"
    - domains: [admin.example.com]
      service: web
      port: 9000
services:
  web: {image: web}
"""
    )
    assert outside.servers == (Server(Endpoint("2001:db8::5", 8080), None),)
    assert more.servers == (Server(Endpoint("web", 9000), ServiceName("web")),)
    assert (outside.where, more.where) == ("f.yml:3", "f.yml:5")


def test_apps_of_services_come_in_the_order_of_the_file_before_those_at_the_top() -> None:
    text = """\
x-stackctl:
  apps: [{domains: [z.example.com], upstream: "h:1"}]
services:
  b: {x-stackctl: {domains: [b.example.com], port: 1}}
  a: {x-stackctl: {domains: [a.example.com], port: 1}}
"""
    assert [site.name for site in sites(text)] == ["b.example.com", "a.example.com", "z.example.com"]


def test_tuning_is_the_apps_own_then_that_of_all_then_the_default() -> None:
    text = "x-stackctl:\n  read-timeout: 60s\n  body-size: 1G\n" + SERVICES + "      body-size: 0\n"
    (site,) = sites(text.replace("body-size: 0", "body-size: '0'"))
    assert site.tuning == replace(Tuning(), read_timeout="60s", body_size="0")


def test_a_route_may_be_merged_from_an_anchor() -> None:
    text = """\
x-route: &route
  x-stackctl:
    domains: [example.com]
    port: 8000
services:
  web:
    <<: *route
    image: web
"""
    (site,) = sites(text)
    assert (site.name, site.services, site.where) == ("example.com", ("web",), "f.yml:2")


def test_the_golden_stack_reads() -> None:
    doc = Document.parse((GOLDEN / "compose" / "stackctl.yml").read_text(), "stackctl.yml")
    stack = read_stack(doc, project(service("web")))
    assert [site.name for site in stack.sites] == ["example.com", "legacy.example.com"]
    assert stack.sites[1].tuning == replace(Tuning(), read_timeout="60s", body_size="1g")
    assert stack.acme.email == "you@example.com"


def test_the_proxy_is_what_its_label_says_whatever_its_name_and_ports() -> None:
    proxy_service = service(
        "edge", image="mynginx:2", role="proxy", ports=[(80, "127.0.0.1", 8080), (443, None, 8443), (9, None, 9)]
    )
    issuer = service("acme", role="certbot")
    stack = read("services: {}\n", Project("demo", {"edge": proxy_service, "acme": issuer}))
    assert (stack.proxy.service, stack.proxy.image, stack.certbot) == ("edge", "mynginx:2", "acme")
    assert [str(one.at) for one in stack.proxy.listeners] == ["127.0.0.1:8080", "8443"]


def test_an_app_is_found_by_any_of_its_names() -> None:
    stack = read(SERVICES)
    assert stack.site("www.example.com") is stack.site("example.com") is stack.sites[0]
    assert stack.site("other.example.com") is None


def test_the_keys_at_the_top_can_be_read_alone() -> None:
    assert read_keys(parse("x-stackctl:\n  tls: modern\n")).tls == "modern"
    assert read_keys(parse("services: {}\n")).tls == "intermediate"


@pytest.mark.parametrize("text", ["x-stackctl:\n", "x-stackctl: {}\n", "x-stackctl: ~\n"])
def test_an_empty_x_stackctl_is_none(text: str) -> None:
    assert read(text) == read("services: {}\n")


# Unknown keys


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("x-stackctl:\n  emial: a@b.c\n", "f.yml:2: x-stackctl has no key 'emial'", "did you mean 'email'?"),
        ("x-stackctl:\n  agree_tos: true\n", "f.yml:2: x-stackctl has no key 'agree_tos'", "did you mean 'agree-tos'?"),
        ("x-stackctl:\n  tls: modern\n  Ca: x\n", "f.yml:3: x-stackctl has no key 'Ca'", "did you mean 'ca'?"),
        (SERVICES + "      prot: 1\n", "f.yml:9: services.web.x-stackctl has no key 'prot'", "did you mean 'port'?"),
        (
            SERVICES.replace("domains:", "domain:"),
            "f.yml:5: services.web.x-stackctl has no key 'domain'",
            "did you mean 'domains'?",
        ),
        (
            "x-stackctl:\n  apps:\n    - domains: [a.b]\n      upsteam: h:1\n",
            "f.yml:4: x-stackctl.apps.0 has no key 'upsteam'",
            "did you mean 'upstream'?",
        ),
    ],
)
def test_an_unknown_key_is_an_error_with_its_line_and_the_nearest_known_key(text: str, message: str, hint: str) -> None:
    error = refusal(text)
    assert str(error) == message
    assert error.hint == hint


def test_an_unknown_key_like_no_other_comes_with_all_known_keys() -> None:
    error = refusal("x-stackctl:\n  zzzzzzzz: 1\n")
    assert error.hint
    assert error.hint.startswith("known keys: body-size, connect-timeout,")
    assert "agree-tos" in error.hint


def test_unknown_keys_elsewhere_are_composes_business() -> None:
    assert read("x-other: {emial: 1}\nservices:\n  web: {imgae: x, x-mine: [1]}\n").sites == ()


# Wrong values


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x-stackctl: []\n", "f.yml:1: x-stackctl: expected a mapping, got a list"),
        ("x-stackctl: text\n", "f.yml:1: x-stackctl: expected a mapping, got text"),
        ("x-stackctl:\n  email: 5\n", "f.yml:2: x-stackctl.email: expected text, got a whole number"),
        ("x-stackctl:\n  agree-tos: yes\n", "f.yml:2: x-stackctl.agree-tos: expected true or false, got text"),
        ("x-stackctl:\n  tls: old\n", "f.yml:2: x-stackctl.tls: expected intermediate or modern, got 'old'"),
        (
            "x-stackctl:\n  rsa-key-size: 1024\n",
            "f.yml:2: x-stackctl.rsa-key-size: expected 2048, 3072 or 4096, got 1024",
        ),
        ("x-stackctl:\n  apps:\n    a: 1\n", "f.yml:2: x-stackctl.apps: expected a list, got a mapping"),
        ("x-stackctl:\n  apps:\n    - a\n", "f.yml:3: x-stackctl.apps.0: expected a mapping, got text"),
        (
            SERVICES.replace("port: 8000", 'port: "8000"'),
            "f.yml:8: services.web.x-stackctl.port: expected a whole number, got text",
        ),
        (
            SERVICES.replace("        - example.com\n        - www.example.com\n", ""),
            "f.yml:5: services.web.x-stackctl.domains: expected a list, got null",
        ),
        (
            SERVICES.replace("- www.example.com", "- 5"),
            "f.yml:7: services.web.x-stackctl.domains.1: expected text, got a whole number",
        ),
        (
            SERVICES.replace("      port: 8000\n", ""),
            "f.yml:4: services.web.x-stackctl: object missing required field `port`",
        ),
    ],
)
def test_a_value_of_the_wrong_kind_is_named_with_its_place(text: str, message: str) -> None:
    assert said(text).replace("`null`", "null") == message


@pytest.mark.parametrize("port", [0, -1, 65536, 100000])
def test_a_port_out_of_range_is_an_error_with_its_line(port: int) -> None:
    assert said(SERVICES.replace("8000", str(port))).startswith("f.yml:8: services.web.x-stackctl.port: expected ")


@pytest.mark.parametrize("concurrency", [0, 101])
def test_concurrency_is_between_1_and_100(concurrency: int) -> None:
    assert said(f"x-stackctl:\n  concurrency: {concurrency}\n").startswith("f.yml:2: x-stackctl.concurrency: expected ")


@pytest.mark.parametrize("profile", ["'Short Lived'", "''", "a;b", "x" * 33])
def test_a_profile_is_a_word(profile: str) -> None:
    assert said(f"x-stackctl:\n  profile: {profile}\n").startswith("f.yml:2: x-stackctl.profile: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x-stackctl:\n  email: you\n", "f.yml:2: 'you' is not an e-mail address"),
        ("x-stackctl:\n  ca: http://ca.test\n", "f.yml:2: 'http://ca.test' is not a CA"),
        ("x-stackctl:\n  body-size: 1 GB\n", "f.yml:2: '1 GB' is not a size"),
        ("x-stackctl:\n  read-timeout: '60'\n", "f.yml:2: '60' is not a duration"),
        (SERVICES + "      send-timeout: 1s;\n", "f.yml:9: '1s;' is not a duration"),
        (SERVICES.replace("- www.example.com", "- 192.0.2.1"), "f.yml:7: '192.0.2.1' is an IP address, not a domain"),
        (SERVICES.replace("- www.example.com", "- '*.*.com'"), "f.yml:7: '*.*.com' has two asterisks"),
        (SERVICES.replace("- www.example.com", "- EXAMPLE.com"), "f.yml:7: example.com is listed twice here"),
        (SERVICES.replace("  web:", "  'we b':"), "f.yml:2: 'we b' is not a service name"),
        ("x-stackctl:\n  apps:\n    - domains: [a.b]\n      upstream: h\n", "f.yml:4: 'h' is not HOST:PORT"),
        (
            "x-stackctl:\n  apps:\n    - domains: [a.b]\n      service: nope\n      port: 1\n",
            "f.yml:4: there is no service nope",
        ),
    ],
)
def test_a_wrong_word_is_named_with_its_line(text: str, message: str) -> None:
    assert said(text) == message


@pytest.mark.parametrize(
    "keys",
    ["{domains: [a.b]}", "{domains: [a.b], port: 1}", "{domains: [a.b], service: web}",
     "{domains: [a.b], service: web, port: 1, upstream: 'h:1'}", "{domains: [a.b], service: web, upstream: 'h:1'}"],
)  # fmt: skip
def test_an_app_at_the_top_has_one_upstream(keys: str) -> None:
    assert said(f"x-stackctl:\n  apps:\n    - {keys}\nservices:\n  web: {{image: web}}\n") == (
        "f.yml:3: an app needs 'upstream', or 'service' and 'port'"
    )


def test_an_app_outside_compose_has_its_port_in_its_upstream_alone() -> None:
    error = refusal("x-stackctl:\n  apps:\n    - {domains: [a.b], upstream: 'h:1', port: 2}\n")
    assert error.where == "f.yml:3"


def test_a_name_of_two_apps_is_an_error_that_names_both_places() -> None:
    error = refusal("x-stackctl:\n  apps:\n    - {domains: [www.example.com], upstream: 'h:1'}\n" + SERVICES)
    assert str(error) == "f.yml:7: www.example.com is routed twice"
    assert error.hint
    assert error.hint.startswith("see f.yml:3; ")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("x-stackctl:\n  email: ${EMAIL}\n", "f.yml:2"),
        (SERVICES.replace("www.example.com", "$DOMAIN"), "f.yml:7"),
        ("x-stackctl:\n  apps:\n    - domains: [a.b]\n      upstream: ${HOST}:80\n", "f.yml:4"),
        (SERVICES.replace("8000", "${PORT}"), "f.yml:8"),
    ],
)
def test_without_compose_a_variable_has_no_value(text: str, where: str) -> None:
    error = refusal(text)
    assert error.where == where
    assert error.hint == "Docker Compose, which gives variables their values, is not usable"


def with_values(text: str, **values: str) -> Document:
    """The document with the texts of its variables replaced, as Compose does."""
    doc = parse(text)
    found = variables(doc)
    return doc.interpolated(
        {node: re.sub(r"\$\{(\w+)[^}]*\}", lambda m: values[m[1]], one) for node, one in found.items()}
    )


VARIABLE = """\
x-stackctl:
  email: "ops@${DOMAIN}"
  agree-tos: ${AGREE}
  rsa-key-size: "${SIZE}"
  apps:
    - domains: [&name "api.${DOMAIN}"]
      upstream: ${HOST}:${UP}
services:
  web:
    image: "${IMAGE}"
    x-stackctl: {domains: ["${DOMAIN}"], port: "${PORT:-80}", body-size: '${BODY}m', certificate: *name}
"""
VALUES = {
    "DOMAIN": "a.example",
    "AGREE": "true",
    "SIZE": "4096",
    "HOST": "10.0.0.1",
    "UP": "81",
    "PORT": "3000",
    "BODY": "5",
}


def test_values_of_variables_have_the_types_of_their_keys() -> None:
    stack = read_stack(with_values(VARIABLE, **VALUES), project())
    api, web = sorted(stack.sites, key=lambda site: site.name)[::-1]
    assert (web.name, web.servers[0].endpoint.port, web.tuning.body_size) == ("a.example", 3000, "5m")
    assert (api.name, str(api.servers[0])) == ("api.a.example", "10.0.0.1:81")
    assert web.certificate == "api.a.example", "an alias of a text has its value too"
    assert (stack.acme.email, stack.acme.agree_tos, stack.acme.key_size) == ("ops@a.example", True, 4096)


def test_only_texts_of_x_stackctl_are_sent_to_compose() -> None:
    assert sorted(variables(parse(VARIABLE)).values()) == [
        "${AGREE}",
        "${BODY}m",
        "${DOMAIN}",
        "${HOST}:${UP}",
        "${PORT:-80}",
        "${SIZE}",
        "api.${DOMAIN}",
        "ops@${DOMAIN}",
    ]
    assert variables(parse("services:\n  web:\n    image: $IMAGE\n")) == {}
    assert variables(parse("services: $NONE\n")) == {}


@pytest.mark.parametrize(
    ("name", "value", "where", "words"),
    [
        ("DOMAIN", "", "f.yml:2", "is not an e-mail address"),
        ("PORT", "http", "f.yml:11", "services.web.x-stackctl.port"),
        ("BODY", "", "f.yml:11", "'m' is not"),
        ("AGREE", "yes", "f.yml:3", "x-stackctl.agree-tos"),
    ],
)
def test_a_wrong_value_is_reported_with_its_line_and_text(name: str, value: str, where: str, words: str) -> None:
    with pytest.raises(StackfileError) as caught:
        read_stack(with_values(VARIABLE, **{**VALUES, name: value}), project())
    assert caught.value.where == where
    assert words in str(caught.value)
    assert f"${{{name}" in (caught.value.hint or "")
    assert "set its variables in .env or in the environment" in (caught.value.hint or "")


def test_a_dollar_sign_that_is_written_twice_is_no_variable() -> None:
    doc = parse("services:\n  web:\n    image: web\n    x-stackctl: {domains: [$$x.example.com], port: 80}\n")
    with pytest.raises(StackfileError, match=re.escape("$x.example.com")) as caught:
        read_stack(doc.interpolated({key: text.replace("$$", "$") for key, text in variables(doc).items()}), project())
    assert "variable" not in (caught.value.hint or "")


@pytest.mark.parametrize("text", ["services: [a]\n", "services: text\n"])
def test_services_that_are_no_mapping_are_a_stackfile_error(text: str) -> None:
    with pytest.raises(StackfileError):
        sites(text)


def test_an_alias_of_itself_is_refused() -> None:
    assert refusal("x-stackctl: &x\n  apps:\n    - *x\n").where


# The stack's own services


@pytest.mark.parametrize(("missing", "role"), [("nginx", "proxy"), ("certbot", "certbot")])
def test_a_missing_service_of_the_stack_is_named_with_the_way_to_get_it(missing: str, role: str) -> None:
    left: dict[str, Service] = {one.name: one for one in (NGINX, CERTBOT) if one.name != missing}
    error = refusal("name: x\nservices: {}\n", Project("demo", left))
    assert str(error) == f"f.yml:2: no service has the label stackctl.role: {role}"
    assert error.hint
    assert "stackctl init" in error.hint


@pytest.mark.parametrize(("published", "missing"), [(80, 443), (443, 80)])
def test_a_proxy_publishes_80_and_443(published: int, missing: int) -> None:
    proxy = service("nginx", role="proxy", ports=[(published, None, published)])
    error = refusal("services:\n  nginx:\n    ports: []\n", Project("demo", {"nginx": proxy, "certbot": CERTBOT}))
    assert str(error) == f"f.yml:3: the nginx service does not publish port {missing}"
    assert error.hint == f'add "{missing}:{missing}" to its ports'


@pytest.mark.parametrize(("one", "other"), [(None, None), ("127.0.0.1", "127.0.0.1"), ("127.0.0.1", "0.0.0.0")])
def test_a_proxy_publishes_80_and_443_at_two_places(one: str | None, other: str | None) -> None:
    proxy = service("nginx", role="proxy", ports=[(80, one, 8080), (443, other, 8080)])
    error = refusal("services:\n  nginx:\n    ports: []\n", Project("demo", {"nginx": proxy, "certbot": CERTBOT}))
    assert str(error).startswith("f.yml:3: HTTP at ")
    assert str(error).endswith("are published at the same address and port")
    assert error.hint == "publish them at two different ports"


def test_a_proxy_has_an_image() -> None:
    proxy = replace(NGINX, image=None)
    error = refusal("services:\n  nginx: {build: .}\n", Project("demo", {"nginx": proxy, "certbot": CERTBOT}))
    assert str(error) == "f.yml:2: the proxy service has no image"


HTTPS_APP = """\
services:
  web:
    image: web
    x-stackctl:
      domains: [example.com]
      port: 8443
      KEYS
"""
OUTSIDE = "x-stackctl:\n  apps:\n    - domains: [example.com]\n      upstream: UPSTREAM\n      KEYS\n"


def server_of(text: str) -> Server:
    (site,) = sites(text)
    (server,) = site.servers
    return server


@pytest.mark.parametrize(
    ("keys", "tls"),
    [
        (("protocol: http",), None),
        (("protocol: https",), ServerTls()),
        (("protocol: https", "upstream-tls: {}"), ServerTls()),
        (("protocol: https", "upstream-tls: {verify: false}"), ServerTls(verify=False)),
        (("protocol: https", "upstream-tls: {verify: false, name: a.b}"), ServerTls(verify=False, name="a.b")),
        (("protocol: https", "upstream-tls: {name: A.B, ca: x.ca.pem}"), ServerTls(name="a.b", ca="x.ca.pem")),
    ],
)
def test_an_app_may_speak_https(keys: tuple[str, ...], tls: ServerTls | None) -> None:
    assert server_of(HTTPS_APP.replace("KEYS", "\n      ".join(keys))).tls == tls


def test_an_upstream_says_what_is_spoken_by_its_scheme() -> None:
    found = server_of(OUTSIDE.replace("UPSTREAM", "https://legacy.internal").replace("KEYS", ""))
    assert (found.endpoint, found.tls) == (Endpoint("legacy.internal", 443), ServerTls())
    assert server_of(OUTSIDE.replace("UPSTREAM", "http://10.0.0.5:80").replace("KEYS", "")).tls is None
    named = OUTSIDE.replace("UPSTREAM", "https://10.0.0.5:8443").replace("KEYS", "upstream-tls: {name: a.internal}")
    assert server_of(named).tls == ServerTls(name="a.internal")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (HTTPS_APP.replace("KEYS", "upstream-tls: {verify: false}"), "apps that speak HTTPS only"),
        (HTTPS_APP.replace("KEYS", "protocol: spdy"), "protocol"),
        (HTTPS_APP.replace("KEYS", "protocol: https\n      upstream-tls: {insecure: true}"), "insecure"),
        (HTTPS_APP.replace("KEYS", "protocol: https\n      upstream-tls: {ca: /etc/x.pem}"), "company.ca.pem"),
        (HTTPS_APP.replace("KEYS", "protocol: https\n      upstream-tls: {ca: x.ca.pem, verify: false}"), "no effect"),
        (HTTPS_APP.replace("KEYS", "protocol: https\n      upstream-tls: true"), "upstream-tls"),
        (OUTSIDE.replace("UPSTREAM", "https://10.0.0.5").replace("KEYS", ""), "cannot be verified for the address"),
        (OUTSIDE.replace("UPSTREAM", "a.internal:1").replace("KEYS", "upstream-tls: {name: x.y}"), "HTTPS only"),
    ],
)
def test_what_cannot_be_verified_is_refused_where_it_is_written(text: str, why: str) -> None:
    error = refusal(text)
    assert why in f"{error} {error.hint}"
    assert (error.where or "").startswith("f.yml:")
