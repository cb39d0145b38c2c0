"""Names: what is accepted, in which one form, and that nothing dangerous ever passes."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stackctl.errors import ExitCode, InputError
from stackctl.model import endpoints, values
from stackctl.model.endpoints import Endpoint, PortBinding, Upstream

LONG_LABEL = "a" * 63
LONGEST = ".".join([LONG_LABEL, LONG_LABEL, LONG_LABEL, "a" * 61])

# What has a meaning of its own for nginx, YAML, a shell or a path, wherever it may stand.
DANGEROUS = re.compile(r"[\x00-\x20\x7f-\U0010ffff\"'`;{}$\\<>|&()#*?!~^]")
SAFE_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")

# Text that is nearly right finds more than text that is wholly random.
NEARLY = st.text(st.sampled_from("abzA09.-_:/@[]%$;{}\"'`\\ \t\r\n\0\x7f*#é。ß１"), max_size=24)
ANYTHING = st.text(max_size=40) | NEARLY
LABELS = st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
DOMAINS = st.lists(LABELS, min_size=2, max_size=5).map(".".join)


def accepted(parse: Callable[[str], object], text: str) -> object | None:
    try:
        return parse(text)
    except InputError:
        return None


def refusal(parse: Callable[[str], object], text: str) -> InputError:
    with pytest.raises(InputError) as caught:
        parse(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("app.example.com", "app.example.com"),
        ("App.Example.COM", "app.example.com"),
        ("app.example.com.", "app.example.com"),
        ("  app.example.com ", "app.example.com"),
        ("a.b", "a.b"),
        ("1.example.com", "1.example.com"),
        ("a--b.example.com", "a--b.example.com"),
        ("münchen.de", "xn--mnchen-3ya.de"),
        ("MÜNCHEN.de", "xn--mnchen-3ya.de"),
        ("faß.de", "xn--fa-hia.de"),
        ("한국.kr", "xn--3e0b707e.kr"),
        ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
        ("xn--mnchen-3ya.de", "xn--mnchen-3ya.de"),
        ("ＡＰＰ．example．com", "app.example.com"),  # noqa: RUF001  (full width is the point)
        (f"{LONG_LABEL}.example.com", f"{LONG_LABEL}.example.com"),
        (LONGEST, LONGEST),
    ],
)
def test_a_domain_has_one_form(text: str, canonical: str) -> None:
    assert values.domain(text) == canonical


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "an empty label"),
        (".", "an empty label"),
        ("..", "an empty label"),
        ("a..com", "an empty label"),
        (".example.com", "an empty label"),
        ("example.com..", "an empty label"),
        ("my app.example.com", "the label 'my app'"),
        ('a".example.com', "the label 'a\"'"),
        ("a'.example.com", "the label"),
        ("a;.example.com", "the label 'a;'"),
        ("a{.example.com", "the label 'a{'"),
        ("a}.example.com", "the label 'a}'"),
        ("$host.example.com", "the label '$host'"),
        ("a\n.example.com", "the label"),
        ("example.com\n", "the label"),
        ("\texample.com", "the label"),
        ("a\0.example.com", "the label"),
        ("../etc/passwd", "an empty label"),
        ("a/b.example.com", "the label 'a/b'"),
        ("a\\b.example.com", "the label"),
        ("-a.example.com", "the label '-a'"),
        ("a-.example.com", "the label 'a-'"),
        ("--help.example.com", "the label"),
        ("a_b.example.com", "the label 'a_b'"),
        ("a.*.example.com", "the label '*'"),
        ("http://example.com", "the label"),
        ("example.com:443", "the label 'com:443'"),
        ("you@example.com", "the label"),
        ("a" * 64 + ".example.com", "longer than 63"),
        ("ü" * 80 + ".example.com", "is not a domain"),
        (LONGEST + "a", "longer than 253"),
        ("*.example.com", "is a wildcard"),
        ("192.0.2.1", "is an IP address"),
        ("192.0.2.1.", "is an IP address"),
        ("2001:db8::1", "is an IP address"),
        ("[2001:db8::1]", "is an IP address"),
        ("fe80::1%eth0", "is an IP address"),
        ("１９２.0.2.1", "the last label is a number"),  # noqa: RUF001  (full width is the point)
        ("1.2.3", "the last label is a number"),
        ("localhost", "has no dot"),
        ("stackctl.invalid", "ends in .invalid"),
        ("Shop.INVALID.", "ends in .invalid"),
        ("☃.example.com", "is not a domain"),
        ("ü..com", "is not a domain"),
        ("\u200d.example.com", "is not a domain"),
        ("\ud800.example.com", "is not a domain"),
    ],
)
def test_what_is_no_domain_is_refused_with_its_reason(text: str, why: str) -> None:
    error = refusal(values.domain, text)
    assert why in error.message
    assert repr(text)[1:-1] in error.message
    assert error.code is ExitCode.INPUT


@pytest.mark.parametrize("text", ["*.example.com", "192.0.2.1", "localhost", "a b.example.com"])
def test_a_refused_domain_comes_with_a_next_step(text: str) -> None:
    assert refusal(values.domain, text).hint


@given(ANYTHING)
@example("fe80::1%';.a")
@example("a.b%0a.c")
def test_whatever_passes_as_a_domain_is_safe_everywhere(text: str) -> None:
    name = accepted(values.domain, text)
    if name is None:
        return
    assert isinstance(name, str)
    assert SAFE_DOMAIN.match(name)
    assert len(name) <= 253
    assert not name.rpartition(".")[2].isdigit()


@given(ANYTHING | DOMAINS)
def test_the_form_of_a_domain_is_final(text: str) -> None:
    name = accepted(values.domain, text)
    if name is not None:
        assert values.domain(str(name)) == name


@given(DOMAINS)
def test_letter_case_and_the_root_dot_make_no_other_domain(name: str) -> None:
    assert values.domain(name.upper()) == values.domain(f"{name}.") == values.domain(name) == name


@given(DOMAINS, st.sampled_from("\0\x01\t\n\r \x7f\x85\u2028\"'`;{}$\\/:*#%&()|<>"), st.data())
def test_one_dangerous_character_anywhere_inside_spoils_a_domain(name: str, char: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(1, len(name) - 1))
    refusal(values.domain, name[:at] + char + name[at:])


@given(
    st.lists(st.text(st.characters(categories=["Ll", "Lo"], min_codepoint=0xA1), min_size=1, max_size=8), min_size=2)
)
def test_an_internationalised_domain_is_refused_or_ascii(labels: list[str]) -> None:
    name = accepted(values.domain, ".".join(labels))
    assert name is None or SAFE_DOMAIN.match(str(name))


@pytest.mark.parametrize("text", ["web", "Web-1", "a.b_c", "1", "a" * 63])
def test_a_service_name_is_taken_as_it_is(text: str) -> None:
    assert values.service_name(text) == text


@pytest.mark.parametrize(
    "text", ["", "-web", "_web", ".web", "..", "a b", "a/b", "a\n", "é", "a" * 64, "$a", "a:b", "a#b"]
)
def test_what_compose_or_dns_cannot_take_is_no_service_name(text: str) -> None:
    assert "is not a service name" in refusal(values.service_name, text).message


@given(ANYTHING)
def test_whatever_passes_as_a_service_name_is_safe_everywhere(text: str) -> None:
    name = accepted(values.service_name, text)
    if name is not None:
        assert name == text
        assert not DANGEROUS.search(text)
        assert "/" not in text
        assert text[0].isalnum()


@pytest.mark.parametrize(
    "text",
    [
        "nginx",
        "nginx:1.30",
        "stackctl/nginx:1.30",
        "localhost:5000/app",
        "registry.example.com/team/app:v1.2_3-rc",
        "ghcr.io/a/b/c@sha256:" + "0" * 64,
        "a__b/c-d.e:t@sha256:" + "f" * 64,
    ],
)
def test_an_image_reference_is_taken_as_it_is(text: str) -> None:
    assert values.image(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "App",
        "app:",
        ":tag",
        "app:a b",
        "app\n",
        "-app",
        "app;rm",
        "${IMAGE}",
        "app:$TAG",
        "https://a/b",
        "a/../b",
        "a___b",
        "app:" + "t" * 129,
        "app@sha256:abc",
        "app@md5:" + "0" * 64,
    ],
)
def test_what_is_no_image_reference_is_refused(text: str) -> None:
    assert "is not an image reference" in refusal(values.image, text).message


@given(ANYTHING)
def test_whatever_passes_as_an_image_is_safe_everywhere(text: str) -> None:
    reference = accepted(values.image, text)
    if reference is not None:
        assert not DANGEROUS.search(text)
        assert "%" not in text


def test_an_image_is_never_taken_for_an_option() -> None:
    assert accepted(values.image, "-/app") is None
    assert accepted(values.image, "--privileged/app") is None


@pytest.mark.parametrize("number", [1, 80, 443, 65535])
def test_a_port_is_between_1_and_65535(number: int) -> None:
    assert values.port(number) == number


@pytest.mark.parametrize("number", [-1, 0, 65536, 10**30])
def test_a_port_out_of_range_is_refused(number: int) -> None:
    assert refusal(values.port, number).message == f"port {number} is not between 1 and 65535"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("you@example.com", "you@example.com"),
        ("You.Too+tag@Example.COM", "You.Too+tag@example.com"),
        ("you@münchen.de", "you@xn--mnchen-3ya.de"),
        ("a" * 64 + "@example.com", "a" * 64 + "@example.com"),
    ],
)
def test_an_email_address_keeps_its_local_part(text: str, canonical: str) -> None:
    assert values.email(text) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "",
        "you",
        "@example.com",
        "you@",
        "you@localhost",
        "you@192.0.2.1",
        "you@*.example.com",
        "you too@example.com",
        "you@example.com\n",
        "you@exa mple.com",
        "you@a@example.com",
        '"you"@example.com',
        "you;@example.com",
        "`id`@example.com",
        "$(id)@example.com",
        "ü@example.com",
        "a" * 65 + "@example.com",
    ],
)
def test_what_is_no_email_address_is_refused(text: str) -> None:
    error = refusal(values.email, text)
    assert error.message == f"{text!r} is not an e-mail address"
    assert error.hint == "write it as you@example.com"


@given(ANYTHING | st.builds("{}@{}".format, NEARLY, DOMAINS))
@example("a@b.c")
def test_whatever_passes_as_an_email_is_one_word_in_its_final_form(text: str) -> None:
    address = accepted(values.email, text)
    if address is not None:
        assert isinstance(address, str)
        assert not re.search(r"[\x00-\x20\x7f-\U0010ffff\"'`;\\<>()]", address)
        assert values.email(address) == address


def test_an_email_is_never_taken_for_an_option_of_certbot() -> None:
    refusal(values.email, "--help@example.com")


@pytest.mark.parametrize(
    "text",
    [
        "https://acme-v02.api.letsencrypt.org/directory",
        "https://pebble:14000/dir",
        "https://[::1]:14000/dir",
        "https://ca.example.com/acme/directory?x=1",
    ],
)
def test_a_ca_directory_is_an_https_url(text: str) -> None:
    assert values.ca_directory(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "letsencrypt",
        "http://ca.example.com/dir",
        "https://",
        "https:///dir",
        "https://:443/dir",
        "ftp://ca.example.com",
        "https://ca.example.com/ dir",
        "https://ca.example.com/dir\n",
        'https://ca.example.com/"',
        "https://ca.example.com/{x}",
        "https://ca.example.com/`id`",
        "https://ca.exämple.com/dir",
        "https://ca.example.com\\dir",
        "-https://ca.example.com",
        "https://[::1/dir",
        "https://[zz]/dir",
        "https://ca.example.com:abc/dir",
        "https://ca.example.com:99999/dir",
    ],
)
def test_what_is_no_ca_directory_is_refused(text: str) -> None:
    assert refusal(values.ca_directory, text).message == f"{text!r} is not a CA"


@given(ANYTHING.map("https://".__add__))
@example("https://[")
def test_whatever_passes_as_a_ca_is_one_printable_word(text: str) -> None:
    url = accepted(values.ca_directory, text)
    if url is not None:
        assert not re.search(r"[\x00-\x20\x7f-\U0010ffff\"'`{}\\<>|^]", text)


@pytest.mark.parametrize("text", ["1ms", "30s", "5m", "1h", "999999d"])
def test_a_duration_has_a_unit(text: str) -> None:
    assert values.duration(text) == text


@pytest.mark.parametrize(
    "text",
    ["", "60", "0s", "s", "1.5s", "-1s", "1w", "1S", "1s\n", "1h30m", "1 s", "1000000s", "１s"],  # noqa: RUF001  (full width is the point)
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    assert "is not a duration" in refusal(values.duration, text).message


@pytest.mark.parametrize(
    ("text", "canonical"), [("0", "0"), ("512k", "512k"), ("64M", "64m"), ("2G", "2g"), ("1", "1")]
)
def test_a_size_is_in_lower_case(text: str, canonical: str) -> None:
    assert values.size(text) == canonical


@pytest.mark.parametrize(
    "text", ["", "m", "64mb", "-1m", "1.5m", "64 m", "64m\n", "00", "0k", "1t", "1234567890", "٤m"]
)
def test_what_is_no_size_is_refused(text: str) -> None:
    assert "is not a size" in refusal(values.size, text).message


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("10.0.0.5:8080", "10.0.0.5", 8080),
        ("legacy.internal:80", "legacy.internal", 80),
        ("Legacy_Box:80", "legacy_box", 80),
        ("[2001:DB8:0::1]:443", "2001:db8::1", 443),
        ("[fd00::1]:65535", "fd00::1", 65535),
    ],
)
def test_an_upstream_is_host_and_port(text: str, host: str, port: int) -> None:
    assert endpoints.endpoint(text) == Endpoint(host, port)
    assert str(Endpoint(host, port)) == (f"[{host}]:{port}" if ":" in host else f"{host}:{port}")


@pytest.mark.parametrize(
    ("host", "is_address"),
    [
        ("10.0.0.5", True),
        ("::1", True),
        ("2001:db8::5", True),
        ("10.example.com", False),
        ("10", False),
        ("web", False),
    ],
)
def test_an_endpoint_tells_addresses_from_names(host: str, is_address: bool) -> None:
    assert Endpoint(host, 80).is_address is is_address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "legacy",
        ":80",
        "legacy:",
        "legacy:http",
        "legacy:１２",  # noqa: RUF001  (full width is the point)
        "legacy:-1",
        "legacy:1e3",
        "legacy:80\n",
        "legacy:80;",
        "leg acy:80",
        "legacy;:80",
        "$host:80",
        "-legacy:80",
        "legacy..internal:80",
        "legacy.:80",
        "http://legacy:80",
        "unix:/run/x.sock:80",
        "2001:db8::1:80",
        "[2001:db8::1:80",
        "2001:db8::1]:80",
        "[10.0.0.5]:80",
        "[legacy]:80",
        "[fe80::1%eth0]:80",
        "[fe80::1%;]:80",
        "10.0.0:80",
        "10.0.0.256:80",
        "010.0.0.5:80",
        "[]:80",
        "[[::1]]:80",
        "münchen.de:80",
        "a" * 254 + ":80",
        "a" * 64 + ":80",
    ],
)
def test_what_is_no_upstream_is_refused(text: str) -> None:
    assert "is not HOST:PORT" in refusal(endpoints.endpoint, text).message


@pytest.mark.parametrize("number", ["0", "65536", "99999"])
def test_an_upstream_has_a_port_in_range(number: str) -> None:
    assert "is not between 1 and 65535" in refusal(endpoints.endpoint, f"legacy:{number}").message


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LocalHost",
        "localhost.",
        "app.localhost",
        "ip6-localhost",
        "127.0.0.1",
        "127.1.2.3",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[0:0:0:0:0:0:0:1]",
        "host.docker.internal",
        "Host.Docker.Internal.",
        "gateway.docker.internal",
        "host-gateway",
    ],
)
def test_a_name_that_means_another_host_inside_a_container_is_refused(host: str) -> None:
    error = refusal(endpoints.endpoint, f"{host}:3000")
    assert "inside the proxy's container" in error.message
    assert error.hint


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f000001", "0x7f.1", "legacy.1", "0", "017700000001"])
def test_a_host_that_resolvers_take_for_a_number_is_refused(host: str) -> None:
    assert "is not HOST:PORT" in refusal(endpoints.endpoint, f"{host}:3000").message


@given(ANYTHING.map(lambda text: f"{text}:80"))
@example("[fe80::1%{;]:80")
@example("[[::1]]:80")
def test_whatever_passes_as_an_upstream_is_safe_in_nginx_and_final(text: str) -> None:
    upstream = accepted(endpoints.endpoint, text)
    if upstream is not None:
        assert not re.search(r"[^a-z0-9.:_\[\]-]", str(upstream))
        assert endpoints.endpoint(str(upstream)) == upstream


@pytest.mark.parametrize(
    ("text", "meant", "shown", "probe"),
    [
        ("443", PortBinding(None, 443), "443", ("127.0.0.1", 443)),
        ("00443", PortBinding(None, 443), "443", ("127.0.0.1", 443)),
        ("127.0.0.1:8443", PortBinding("127.0.0.1", 8443), "127.0.0.1:8443", ("127.0.0.1", 8443)),
        ("0.0.0.0:443", PortBinding("0.0.0.0", 443), "0.0.0.0:443", ("127.0.0.1", 443)),
        ("[::]:443", PortBinding("::", 443), "[::]:443", ("::1", 443)),
        ("[2001:DB8::1]:443", PortBinding("2001:db8::1", 443), "[2001:db8::1]:443", ("2001:db8::1", 443)),
        ("::1:443", PortBinding("::1", 443), "[::1]:443", ("::1", 443)),
    ],
)
def test_a_published_port_may_have_an_address(
    text: str, meant: PortBinding, shown: str, probe: tuple[str, int]
) -> None:
    at = endpoints.port_binding(text)
    assert at == meant
    assert str(at) == shown
    assert at.probe == probe


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("80", "80", True),
        ("80", "443", False),
        ("127.0.0.1:80", "80", True),
        ("127.0.0.1:80", "127.0.0.1:80", True),
        ("127.0.0.1:80", "127.0.0.2:80", False),
        ("127.0.0.1:80", "127.0.0.1:443", False),
        ("127.0.0.1:80", "0.0.0.0:80", True),
        ("[::1]:80", "[::]:80", True),
        ("[::]:80", "0.0.0.0:80", False),
    ],
)
def test_two_published_ports_may_want_one_place(one: str, other: str, meet: bool) -> None:
    first, second = endpoints.port_binding(one), endpoints.port_binding(other)
    assert (first.meets(second), second.meets(first)) == (meet, meet)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "http",
        " 443",
        "443\n",
        "-443",
        "４４３",  # noqa: RUF001  (full width is the point)
        "80:443",
        ":443",
        "localhost:443",
        "127.0.0.1:",
        "127.0.0.1:443/tcp",
        "[[::1]]:443",
        "[::1:443",
        "fe80::1%eth0:443",
        "[fe80::1%eth0]:443",
        '[fe80::1%";{]:443',
    ],
)
def test_what_cannot_be_published_is_refused(text: str) -> None:
    assert "is not PORT or ADDRESS:PORT" in refusal(endpoints.port_binding, text).message


@pytest.mark.parametrize("text", ["0", "65536", "127.0.0.1:0", "[::]:70000"])
def test_a_published_port_is_in_range(text: str) -> None:
    assert "is not between 1 and 65535" in refusal(endpoints.port_binding, text).message


@given(st.ip_addresses().map(str) | ANYTHING, st.integers(1, 65535))
@example("fe80::1%\n", 80)
@example("[::1", 80)
def test_whatever_passes_as_published_is_safe_in_yaml_and_final(address: str, number: int) -> None:
    at = accepted(endpoints.port_binding, f"{address}:{number}")
    if at is not None:
        assert not re.search(r"[^0-9a-f.:\[\]]", str(at))
        assert endpoints.port_binding(str(at)) == at


@pytest.mark.parametrize("parse", [endpoints.endpoint, endpoints.port_binding])
def test_a_port_of_thousands_of_digits_is_refused_like_any_other(parse: Callable[[str], object]) -> None:
    refusal(parse, "127.0.0.1:" + "9" * 5000)


@given(ANYTHING)
@example("1\u212a")  # the Kelvin sign, which is a k in lower case
def test_whatever_passes_as_a_size_or_a_duration_is_a_number_and_a_unit(text: str) -> None:
    for parse in (values.size, values.duration):
        value = accepted(parse, text)
        assert value is None or re.fullmatch(r"[0-9]+(?:[kmgshd]|ms)?", str(value))


@given(
    ANYTHING,
    st.sampled_from(
        [
            values.domain,
            values.service_name,
            values.image,
            values.email,
            values.ca_directory,
            values.duration,
            values.size,
            endpoints.endpoint,
            endpoints.port_binding,
        ]
    ),
)
def test_no_text_makes_a_parser_fail_in_another_way(text: str, parse: Callable[[str], object]) -> None:
    accepted(parse, text)


@pytest.mark.parametrize(
    ("text", "host", "port", "tls"),
    [
        ("https://legacy.internal", "legacy.internal", 443, True),
        ("HTTPS://Legacy.internal:8443/", "legacy.internal", 8443, True),
        ("https://[2001:db8::1]", "2001:db8::1", 443, True),
        ("https://[2001:db8::1]:8443", "2001:db8::1", 8443, True),
        ("http://10.0.0.5", "10.0.0.5", 80, False),
        ("http://10.0.0.5:3000", "10.0.0.5", 3000, False),
        ("10.0.0.5:3000", "10.0.0.5", 3000, False),
    ],
)
def test_an_upstream_may_have_a_scheme(text: str, host: str, port: int, *, tls: bool) -> None:
    found = endpoints.upstream(text)
    assert found == Upstream(Endpoint(host, port), tls)
    assert endpoints.upstream(str(found)) == found


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("https://", "not HOST:PORT"),
        ("https://a b", "not HOST:PORT"),
        ("https://legacy.internal/path", "has a path"),
        ("https://legacy.internal?x", "has a path"),
        ("https://u:p@legacy.internal", "user name"),
        ("ftp://legacy.internal:21", "scheme 'ftp'"),
        ("unix:///run/app.sock", "scheme 'unix'"),
        ("https://localhost", "the container itself"),
        ("https://legacy.internal:0", "port"),
        ("https://legacy.internal:99999", "port"),
        ("https://a;}.internal", "not HOST:PORT"),
        ("https://$host", "not HOST:PORT"),
        ("https://https://a.internal", "scheme"),
        ("legacy.internal", "not HOST:PORT"),
    ],
)
def test_what_has_no_scheme_of_an_upstream_is_refused(text: str, why: str) -> None:
    with pytest.raises(InputError, match=re.escape(why)):
        endpoints.upstream(text)


@pytest.mark.parametrize("text", ["a.pem", "../x.ca.pem", "a/b.ca.pem", ".ca.pem", "a b.ca.pem", "x.ca.pem\n", ""])
def test_the_file_of_root_certificates_is_one_of_the_users(text: str) -> None:
    with pytest.raises(InputError, match="is not the name of a file"):
        values.ca_file(text)
    assert values.ca_file("my-company.v2.ca.pem") == "my-company.v2.ca.pem"


@pytest.mark.parametrize("text", ["10.0.0.1", "[::1]", "a b", "$host", "a;b", ""])
def test_the_name_of_a_certificate_is_a_dns_name(text: str) -> None:
    with pytest.raises(InputError, match="not a DNS name"):
        values.tls_name(text)
    assert values.tls_name("Portal.Internal") == "portal.internal"
