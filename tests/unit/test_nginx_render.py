"""nginx: what a stack becomes by what the version at hand can do."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackctl.certs.copied import lineage_pair
from stackctl.certs.held import held
from stackctl.certs.shelf import Shelf
from stackctl.errors import EngineError, InputError
from stackctl.model.backends import Backend, Canary, Server, ServerTls
from stackctl.model.balancing import Balance, Sticky
from stackctl.model.endpoints import Endpoint, PortBinding
from stackctl.model.headers import Headers, Hsts, Preset
from stackctl.model.layout import MARKER_HOST, MARKER_PATH
from stackctl.model.matching import Match
from stackctl.model.routing import Route, everything_to
from stackctl.model.stack import TlsPolicy
from stackctl.model.tuning import Tuning
from stackctl.model.values import Domain, ServiceName
from stackctl.proxies.nginx.capabilities import Capabilities
from stackctl.proxies.nginx.headers import shared_header_maps
from stackctl.proxies.nginx.proxy import Nginx
from stackctl.proxies.nginx.shared import shared_files
from stackctl.proxies.nginx.site import site_files
from stackctl.proxies.proxy import Rejection, SiteTls
from stackctl.proxies.sites import Rendering, generation_of, issued_tls, site_tls
from tests.unit.build import lineage, site, stack

OLD, MIDDLE, NEW = (1, 22, 1), (1, 26, 3), (1, 30, 4)
A = Domain("a.example.com")
NGINX = Nginx()
DUMMY = site_tls(site(A), held(site(A), Shelf()))


def conf(version: tuple[int, ...] = NEW, *sites: str, **kwargs: object) -> str:
    made = stack(*(site(name) for name in sites or (A,)), **kwargs)  # type: ignore[arg-type]
    return shared_files(made, version, custom=None)["nginx.conf"].decode()


def listens(version: tuple[int, ...]) -> str:
    return shared_files(stack(site(A)), version, custom=None)["snippets/https.conf"].decode()


def site_conf(version: tuple[int, ...] = NEW, tls: SiteTls = DUMMY, **kwargs: object) -> str:
    one = site(A, **kwargs)  # type: ignore[arg-type]
    return site_files(stack(one), one, tls, version, custom=None)[f"sites/{A}.conf"].decode()


@pytest.mark.parametrize(
    ("version", "able"),
    [
        ((1, 19, 5), Capabilities(False, False, False, http2_upstream=False, sticky=False, stream_pass=False)),
        ((1, 22, 1), Capabilities(False, False, False, http2_upstream=False, sticky=False, stream_pass=False)),
        ((1, 25, 0), Capabilities(False, False, False, http2_upstream=False, sticky=False, stream_pass=False)),
        ((1, 25, 1), Capabilities(True, False, False, http2_upstream=False, sticky=False, stream_pass=False)),
        ((1, 25, 4), Capabilities(True, False, False, http2_upstream=False, sticky=False, stream_pass=False)),
        ((1, 25, 5), Capabilities(True, False, False, http2_upstream=False, sticky=False, stream_pass=True)),
        ((1, 26, 3), Capabilities(True, False, False, http2_upstream=False, sticky=False, stream_pass=True)),
        ((1, 27, 2), Capabilities(True, False, False, http2_upstream=False, sticky=False, stream_pass=True)),
        ((1, 27, 3), Capabilities(True, True, False, http2_upstream=False, sticky=False, stream_pass=True)),
        ((1, 27, 4), Capabilities(True, True, True, http2_upstream=False, sticky=False, stream_pass=True)),
        ((1, 29, 3), Capabilities(True, True, True, http2_upstream=False, sticky=False, stream_pass=True)),
        ((1, 29, 4), Capabilities(True, True, True, http2_upstream=True, sticky=False, stream_pass=True)),
        ((1, 29, 5), Capabilities(True, True, True, http2_upstream=True, sticky=False, stream_pass=True)),
        ((1, 29, 6), Capabilities(True, True, True, http2_upstream=True, sticky=True, stream_pass=True)),
        ((2, 0), Capabilities(True, True, True, http2_upstream=True, sticky=True, stream_pass=True)),
    ],
)
def test_a_capability_begins_with_its_version(version: tuple[int, ...], able: Capabilities) -> None:
    assert Capabilities.of(version) == able


def test_http2_is_turned_on_in_the_form_the_version_knows() -> None:
    assert "http2 on;" not in conf(OLD)
    assert "listen 443 ssl http2 default_server;" in conf(OLD)
    assert "listen 443 ssl http2;" in listens(OLD)
    assert "http2 on;" in conf(NEW)
    assert "http2;" not in listens(NEW)


def test_a_missing_upstream_never_stops_the_others() -> None:
    assert "server web:8000 resolve;" in site_conf(NEW)
    assert "zone apps;" in site_conf(NEW)
    for version in (OLD, MIDDLE):
        assert "upstream" not in site_conf(version).replace("upstream_of_site", "")
        assert 'set $upstream_of_site "web:8000";' in site_conf(version)
        assert "zone apps" not in conf(version)


@pytest.mark.parametrize(
    ("host", "resolved"),
    [("10.0.0.5", False), ("2001:db8::5", False), ("legacy.internal", True), ("10.example.com", True)],
)
def test_an_address_is_not_resolved_and_a_name_is(host: str, resolved: bool) -> None:
    assert (" resolve;" in site_conf(NEW, host=host)) is resolved


def test_a_site_with_its_dummy_is_served_over_http_too() -> None:
    text = site_conf(tls=DUMMY)
    assert "ssl_certificate /var/lib/stackctl/pairs/stored/a.example.com/fullchain.pem;" in text
    assert "listen 80;" in text
    assert text.count("proxy_pass ") == 2
    assert f"sites/{A}.redirect" not in site_files(stack(site(A)), site(A), DUMMY, NEW, custom=None)


def test_a_site_with_its_certificate_is_redirected() -> None:
    files = site_files(stack(site(A)), site(A), issued_tls(site(A), lineage_pair(A)), NEW, custom=None)
    text = files[f"sites/{A}.conf"].decode()
    assert "ssl_certificate /var/lib/stackctl/pairs/lineages/a.example.com/fullchain.pem;" in text
    assert "ssl_certificate_key /var/lib/stackctl/pairs/lineages/a.example.com/privkey.pem;" in text
    assert "listen 80;" not in text
    assert files[f"sites/{A}.redirect"] == b"server_name a.example.com;\n"


def test_only_the_names_a_certificate_covers_are_redirected() -> None:
    one = site(A, "www.example.com")
    tls = site_tls(one, held(one, Shelf({A: lineage(A)})))
    assert tls.trusted == {A}
    files = site_files(stack(one), one, tls, NEW, custom=None)
    assert files[f"sites/{A}.redirect"] == b"server_name a.example.com;\n"
    assert b"listen 80;\n    listen [::]:80;\n    server_name www.example.com;\n" in files[f"sites/{A}.conf"]
    assert b"include snippets/https.conf;\n    server_name a.example.com www.example.com;\n" in files[f"sites/{A}.conf"]


def test_a_lineage_that_cannot_be_used_is_served_by_the_dummy() -> None:
    broken = lineage(A, problem="privkey.pem is missing")
    assert site_tls(site(A), held(site(A), Shelf({A: broken}))) == DUMMY
    assert site_tls(site(A), held(site(A), Shelf({A: lineage(A)}))) != DUMMY


def test_a_redirect_names_the_port_where_it_is_not_443() -> None:
    assert "return 301 https://$host$request_uri;" in conf()
    assert "return 301 https://$host:8443$request_uri;" in conf(https=PortBinding(None, 8443))


def test_the_challenge_comes_before_everything_on_port_80() -> None:
    for text in (conf(), site_conf()):
        for server in re.findall(r"listen 80\b.*?\n}", text, re.DOTALL):
            assert "include snippets/acme.conf;" in server
    assert (
        "location ^~ /.well-known/acme-challenge/"
        in shared_files(stack(), NEW, custom=None)["snippets/acme.conf"].decode()
    )


def test_strangers_get_nothing() -> None:
    text = conf()
    assert "listen 80 default_server;" in text
    assert "return 444;" in text
    assert "ssl_reject_handshake on;" in text


@pytest.mark.parametrize(
    ("policy", "protocols", "ciphers"),
    [(TlsPolicy.MODERN, "TLSv1.3", False), (TlsPolicy.INTERMEDIATE, "TLSv1.2 TLSv1.3", True)],
)
def test_tls_is_mozillas_by_name(policy: TlsPolicy, protocols: str, ciphers: bool) -> None:
    text = shared_files(stack(tls=policy), NEW, custom=None)["snippets/tls.conf"].decode()
    assert f"ssl_protocols {protocols};" in text
    assert ("ssl_ciphers" in text) is ciphers
    assert "DHE-RSA-AES128-GCM" not in text.replace("ECDHE", "")
    assert "stapling" not in text


def test_tuning_is_written_for_http_and_https() -> None:
    text = site_conf(tuning=Tuning("0", "1s", "2m", "3h"))
    for line in (
        "client_max_body_size 0;",
        "proxy_connect_timeout 1s;",
        "proxy_read_timeout 2m;",
        "proxy_send_timeout 3h;",
    ):
        assert text.count(line) == 2


def test_custom_files_are_copied_and_included() -> None:
    one = site(A)
    bare, dressed = (site_files(stack(one), one, DUMMY, NEW, custom=custom) for custom in (None, b"# mine\n"))
    assert dressed[f"sites/{A}.custom"] == b"# mine\n"
    assert b"include sites/a.example.com.custom;" in dressed[f"sites/{A}.conf"]
    assert b".custom" not in bare[f"sites/{A}.conf"]
    shared = shared_files(stack(one), NEW, custom=b"# all\n")
    assert shared["snippets/http.custom"] == b"# all\n"
    assert b"include snippets/http.custom;" in shared["nginx.conf"]
    assert b"http.custom" not in shared_files(stack(one), NEW, custom=None)["nginx.conf"]


def test_a_custom_file_that_sets_a_header_does_not_drop_the_proxys_own() -> None:
    one = site(A)
    text = site_files(stack(one), one, DUMMY, NEW, custom=b"proxy_set_header X-Mine 1;\n")[f"sites/{A}.conf"].decode()
    assert text.index("sites/a.example.com.custom") < text.rindex("include snippets/proxy.conf;")


@pytest.mark.parametrize("name", [A, "shop.custom", "shop.conf", "shop.redirect", "conf.custom"])
@pytest.mark.parametrize("custom", [None, b"# mine\n"])
def test_every_file_of_a_site_is_known_to_be_its_own(name: str, custom: bytes | None) -> None:
    one = site(name)
    for path in site_files(stack(one), one, issued_tls(one, lineage_pair(one.name)), NEW, custom=custom):
        assert NGINX.site_of(path) == name


def test_a_shared_file_is_no_sites() -> None:
    for path in [*shared_files(stack(site(A)), NEW, custom=b""), NGINX.layout.marker]:
        assert NGINX.site_of(path) is None


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("snippets/http.custom", "custom/http.conf"),
        ("sites/a.example.com.custom", "custom/a.example.com.conf"),
        ("sites/shop.custom.custom", "custom/shop.custom.conf"),
        ("sites/a.example.com.conf", "sites/a.example.com.conf"),
        ("nginx.conf", "nginx.conf"),
    ],
)
def test_the_user_is_sent_to_the_file_they_wrote(path: str, source: str) -> None:
    assert NGINX.original_of(path) == source


@given(
    st.lists(
        st.from_regex(r"[a-z]{1,8}\.(example\.com|custom|conf)", fullmatch=True), min_size=2, max_size=6, unique=True
    )
)
def test_no_two_sites_share_a_path(names: list[str]) -> None:
    made = stack(*(site(name) for name in names))
    paths = [
        p for one in made.sites for p in site_files(made, one, issued_tls(one, lineage_pair(one.name)), NEW, custom=b"")
    ]
    assert len(paths) == len(set(paths))


def test_one_app_more_changes_no_shared_file_and_no_other_site() -> None:
    few, more = (stack(*(site(f"n{number}.example.com") for number in range(count))) for count in (3, 4))
    assert shared_files(few, NEW, custom=None) == shared_files(more, NEW, custom=None)
    first = few.sites[0]
    assert site_files(few, first, DUMMY, NEW, custom=None) == site_files(more, first, DUMMY, NEW, custom=None)


@pytest.mark.parametrize(
    ("count", "zone", "names"), [(1, 256, 512), (32, 256, 512), (33, 512, 512), (1000, 8192, 2048)]
)
def test_tables_grow_with_the_apps(count: int, zone: int, names: int) -> None:
    text = conf(NEW, *(f"n{number}.example.com" for number in range(count)))
    assert f"zone apps {zone}k;" in text
    assert f"server_names_hash_max_size {names};" in text


def test_the_resolver_of_many_apps_is_asked_less_often() -> None:
    assert "valid=2s" in conf(NEW, *(f"n{number}.example.com" for number in range(100)))
    assert "valid=20s" in conf(NEW, *(f"n{number}.example.com" for number in range(1000)))


def test_rendering_knows_which_custom_file_is_whose() -> None:
    rendering = Rendering(NGINX, NEW, {"http.conf": b"# all\n", f"{A}.conf": b"# a\n", "b.example.com.conf": b"# b\n"})
    one = site(A)
    rendered = rendering.render(stack(one), [one], {A: DUMMY})
    assert rendered.shared["snippets/http.custom"] == b"# all\n"
    assert rendered.sites[A][f"sites/{A}.custom"] == b"# a\n"


# Generations


def test_a_generation_is_named_by_paths_and_contents() -> None:
    files = {"a": b"1", "b": b"2"}
    name = generation_of(files)
    assert re.fullmatch(r"[0-9a-f]{16}", name)
    assert generation_of({"b": b"2", "a": b"1"}) == name
    others = [{"a": b"1"}, {"a": b"2", "b": b"1"}, {"a": b"1", "c": b"2"}, {"a": b"", "b": b"12"}, {"ab": b"12"}, {}]
    assert len({name, *map(generation_of, others)}) == 1 + len(others)


def test_the_marker_answers_with_the_generation() -> None:
    body = NGINX.marker("0123abcd")
    assert NGINX.layout.marker == "snippets/generation.conf"
    assert f"location = {MARKER_PATH} {{".encode() in body
    assert b'return 200 "0123abcd";' in body
    assert b"include snippets/generation.conf;" in shared_files(stack(), NEW, custom=None)["nginx.conf"]
    assert MARKER_HOST.endswith(".invalid")


# Commands and their output


def test_commands_are_argument_lists() -> None:
    assert NGINX.test_command("staged") == [
        "nginx", "-e", "/dev/stderr", "-t", "-q", "-c", "/etc/nginx/staged/nginx.conf",
    ]  # fmt: skip
    *shell, script = NGINX.reload.command
    assert shell == ["sh", "-c"]
    assert script.endswith("; exec nginx -e /dev/stderr -s reload"), "a constant: nothing of the user's is in it"
    assert NGINX.start_command() == ["nginx", "-e", "/dev/stderr", "-g", "daemon off;"]
    assert NGINX.version_command()[:2] == ["sh", "-c"]


@pytest.mark.parametrize(
    ("output", "version"),
    [
        ("nginx version: nginx/1.30.4\n", (1, 30, 4)),
        ("nginx version: nginx/1.22.1 (Debian)\n", (1, 22, 1)),
        ("warning: x\nnginx version: nginx/1.19.5", (1, 19, 5)),
        ("nginx version: openresty/1.25.3.1 nginx/1.25.3", (1, 25, 3)),
        ("nginx version: nginx/2.0", (2, 0)),
        ("Angie version: Angie/1.12.2\nnginx version: nginx/1.31.2\nbuilt with OpenSSL 3.5.8 25 Aug 2026", (1, 31, 2)),
    ],
)
def test_the_version_is_read_from_what_nginx_prints(output: str, version: tuple[int, ...]) -> None:
    assert NGINX.parse_version(output) == version


@pytest.mark.parametrize("output", ["", "sh: nginx: not found", "nginx version: unknown"])
def test_an_image_without_nginx_is_refused(output: str) -> None:
    with pytest.raises(EngineError, match="has no nginx") as caught:
        NGINX.parse_version(output)
    assert caught.value.hint


@pytest.mark.parametrize("version", ["1.19.4", "1.18.0", "0.8"])
def test_an_nginx_that_is_too_old_is_refused(version: str) -> None:
    with pytest.raises(EngineError, match="too old"):
        NGINX.parse_version(f"nginx version: nginx/{version}")


@pytest.mark.parametrize(
    ("output", "rejection"),
    [
        (
            '2026/06/01 12:00:00 [emerg] 7#7: unknown directive "foo" in /etc/nginx/s/sites/a.example.com.custom:3\n',
            Rejection('unknown directive "foo"', A, "nginx/custom/a.example.com.conf:3"),
        ),
        (
            'nginx: [emerg] unexpected "web" in /etc/nginx/s/sites/a.conf:4\n',
            Rejection('unexpected "web"', Domain("a"), "nginx/sites/a.conf:4"),
        ),
        (
            '[warn] 1#1: odd in /etc/nginx/s/nginx.conf:1\n[emerg] 1#1: unexpected "}" in /etc/nginx/s/nginx.conf:9\n',
            Rejection('unexpected "}"', None, "nginx/nginx.conf:9"),
        ),
        (
            'nginx: [emerg] cannot load certificate "/etc/x.pem": BIO_new_file() failed\n',
            Rejection('cannot load certificate "/etc/x.pem": BIO_new_file() failed', None, None),
        ),
        ("nginx: [emerg] bad in /usr/share/other.conf:5\n", Rejection("bad in /usr/share/other.conf:5", None, None)),
        ("first\nsh: nginx: not found\n", Rejection("sh: nginx: not found", None, None)),
        ("", Rejection("nginx -t failed without output", None, None)),
    ],
)  # fmt: skip
def test_a_rejection_names_the_file_where_nginx_does(output: str, rejection: Rejection) -> None:
    assert NGINX.explain(output, "s", {}) == rejection


@pytest.mark.parametrize(
    ("message", "site_named", "where"),
    [
        ('unknown "mine" variable', A, f"nginx/custom/{A}.conf:1"),
        ('unknown "shared" variable', None, None),
        ('unknown "logs" variable', None, "nginx/custom/http.conf:2"),
        ('unknown "nowhere" variable', None, None),
        ('cannot load certificate "/etc/nginx/custom/ca.pem": BIO_new_file() failed', A, None),
        ("unexpected end of file in /etc/nginx/custom/more.inc:2", A, "nginx/custom/more.inc:2"),
        ("unexpected end of file in /usr/share/more.inc:2", None, None),
        ("unexpected end of file in /usr/share/own.inc:2", A, f"nginx/custom/{A}.conf:2"),
        ('no "ssl_client_certificate" is defined for "/etc/own.pem"', A, f"nginx/custom/{A}.conf:3"),
    ],
)
def test_a_rejection_without_a_sites_file_is_about_the_only_site_that_it_can_be(
    message: str, site_named: Domain | None, where: str | None
) -> None:
    files = {
        "nginx.conf": b"log_format shared;",
        "snippets/http.custom": b"\n$logs;",
        f"sites/{A}.custom": b"if ($mine) {} include custom/more.inc; ssl_client_certificate custom/ca.pem; $shared"
        b"\ninclude /usr/share/own.inc; # /etc/own.pem\n/etc/own.pem",
        f"sites/{A}.conf": b"ssl_client_certificate /etc/nginx/custom/ca.pem;",
        "sites/b.example.com.conf": b"$other; ssl_client_certificate x;",
    }
    rejection = NGINX.explain(f"nginx: [emerg] {message}\n", "s", files)
    assert (rejection.site, rejection.where) == (site_named, where)


def test_ipv6_is_listened_on_in_sockets_of_its_own() -> None:
    """One for both families could not be bound while the old one is open, at a reload."""
    both, one = (replace(stack(site(A)), proxy=replace(stack(site(A)).proxy, ipv6=ipv6)) for ipv6 in (True, False))
    for version in (OLD, NEW):
        for made in (both, one):
            files = {
                **shared_files(made, version, custom=None),
                **site_files(made, made.sites[0], DUMMY, version, custom=None),
            }
            listens = re.findall(r"listen (\S+?)(?=[; ])", b"".join(files.values()).decode())
            v4 = [text for text in listens if ":" not in text]
            assert [text for text in listens if ":" in text] == (
                [f"[::]:{port}" for port in v4] if made.proxy.ipv6 else []
            )
            assert not any(b"ipv6only=off" in body for body in files.values())


@pytest.mark.parametrize(
    ("printed", "hybrid"),
    [
        ("nginx version: nginx/1.30.6\nbuilt with OpenSSL 3.6.5 29 Sep 2026\nconfigure arguments: --with-debug", True),
        ("built with OpenSSL 3.5.0 8 Apr 2025", True),
        ("built with OpenSSL 3.0.20 7 Apr 2026\nTLS SNI support enabled", False),
        ("built with OpenSSL 1.1.1n  15 Mar 2022 (running with OpenSSL 1.1.1w  11 Sep 2023)", False),
        ("built with OpenSSL 3.4.1 11 Feb 2025 (running with OpenSSL 3.5.7 9 Jun 2026)", True),
        ("built with OpenSSL 3.5.0 8 Apr 2025 (running with OpenSSL 3.0.9 1 Jan 2024)", False),
        ("built with LibreSSL 4.0.0", False),
        ("nginx version: nginx/1.22.1", False),
        ("", False),
    ],
)
def test_key_exchange_is_mozillas_list_and_the_hybrid_where_the_library_has_it(printed: str, *, hybrid: bool) -> None:
    assert NGINX.has_hybrid_keys(printed) is hybrid
    made = stack().fitted(hybrid_keys=NGINX.has_hybrid_keys(printed), ipv6=True, streams="", asks=True)
    tls = shared_files(made, NEW, custom=None)["snippets/tls.conf"].decode()
    first = "X25519MLKEM768:" if hybrid else ""
    assert f"ssl_ecdh_curve {first}X25519:prime256v1:secp384r1;" in tls
    own = shared_files(made, NEW, custom=b"ssl_ecdh_curve secp521r1;\nssl_protocols TLSv1.2;\n")["snippets/tls.conf"]
    assert b"ssl_ecdh_curve" not in own
    assert b"ssl_protocols" not in own
    assert b"ssl_session_cache" in own


@pytest.mark.parametrize("version", [OLD, NEW])
def test_bodies_pass_through_and_are_stored_only_where_the_user_wants_it(version: tuple[int, ...]) -> None:
    assert "    proxy_request_buffering off;\n" in conf(version)
    assert "    proxy_buffering off;\n" in conf(version)
    assert "buffering" not in site_conf(version)
    stored = site_conf(version, tuning=Tuning(buffering=True))
    assert "    proxy_buffering on;\n    proxy_request_buffering on;\n" in stored


HTTPS_APP = Server.of(ServiceName("web"), 8443, ServerTls())


@pytest.mark.parametrize("version", [OLD, NEW])
def test_an_app_that_speaks_https_is_verified(version: tuple[int, ...]) -> None:
    one = replace(site(A), routes=everything_to(HTTPS_APP))
    text = site_files(stack(one), one, DUMMY, version, custom=None)[f"sites/{A}.conf"].decode()
    assert text.count("proxy_pass https://") == 2
    assert "proxy_pass http://" not in text
    assert "        proxy_ssl_verify on;\n" in text
    assert "        proxy_ssl_name web;\n        proxy_ssl_verify on;\n" in text
    assert "        proxy_ssl_trusted_certificate /etc/ssl/certs/ca-certificates.crt;\n" in text
    unverified = replace(one, routes=everything_to(replace(HTTPS_APP, tls=ServerTls(verify=False))))
    text = site_files(stack(unverified), unverified, DUMMY, version, custom=None)[f"sites/{A}.conf"].decode()
    assert "proxy_ssl_verify" not in text
    assert "proxy_ssl_server_name on;" in text
    assert "proxy_ssl" not in site_conf(version)


def test_root_certificates_of_the_users_are_copied() -> None:
    tls = ServerTls(name="app.internal", ca="mine.ca.pem")
    one = replace(site(A), routes=everything_to(replace(HTTPS_APP, tls=tls)))
    rendering = Rendering(NGINX, NEW, {"mine.ca.pem": b"PEM"})
    files = rendering.render(stack(one), [one], {A: DUMMY}).sites[A]
    assert files[f"sites/{A}.ca"] == b"PEM"
    assert f"proxy_ssl_trusted_certificate sites/{A}.ca;".encode() in files[f"sites/{A}.conf"]
    assert b"proxy_ssl_name app.internal;" in files[f"sites/{A}.conf"]
    copy = f"/etc/nginx/generations/.x.test/sites/{A}.ca"
    output = f'nginx: [emerg] cannot load certificate "{copy}": PEM_read_bio_X509_AUX() failed (no start line)\n'
    rejection = NGINX.explain(output, "generations/.x.test", files)
    assert (rejection.site, rejection.where) == (A, "nginx/custom/mine.ca.pem")
    assert rejection.message.startswith('cannot load certificate "nginx/custom/mine.ca.pem": PEM_read')
    with pytest.raises(InputError, match=r"there is no nginx/custom/mine\.ca\.pem"):
        replace(rendering, custom={}).render(stack(one), [one], {A: DUMMY})
    own = site_files(stack(one), one, DUMMY, NEW, custom=None, location=b"proxy_ssl_verify off;\n")[f"sites/{A}.conf"]
    assert b"proxy_ssl_verify on;" not in own


@pytest.mark.parametrize(
    ("message", "todo"),
    [
        ("upstream SSL certificate verify error: (18:self-signed certificate) while SSL handshaking", "'ca'"),
        ("upstream SSL certificate verify error: (20:unable to get local issuer certificate)", "'ca'"),
        ("upstream SSL certificate verify error: (10:certificate has expired)", "renew the app's certificate"),
        ('upstream SSL certificate does not match "web" while SSL handshaking to upstream', "'name'"),
        ("client intended to send too large body: 99 bytes", "'body-size'"),
        ("SSL_do_handshake() failed (SSL: error:0A00010B:SSL routines::wrong version number)", "TLS handshake"),
    ],
)
def test_the_advice_on_an_app_names_the_key_that_cures(message: str, todo: str) -> None:
    assert todo in NGINX.advice(message).todo


ADDRESSES = tuple(Server(Endpoint(f"10.0.0.{number}", 80)) for number in (1, 2))
WEB = Server.of(ServiceName("web"), 8000)


@pytest.mark.parametrize(
    ("backend", "version", "message", "hint"),
    [
        (Backend((WEB,), sticky=Sticky()), MIDDLE, "1.29.6", "hash: cookie:NAME"),
        (Backend(ADDRESSES, sticky=Sticky()), (1, 29, 5), "1.29.6", "hash: cookie:NAME"),
        (Backend(ADDRESSES, canary=Canary(WEB, 5)), MIDDLE, "1.27.3", "remove 'canary'"),
        (Backend((WEB,), Balance.LEAST_CONN), MIDDLE, "1.27.3", "newer image"),
        (Backend((*ADDRESSES, Server(Endpoint("a.internal", 80)))), OLD, "1.27.3 on; the image has 1.", "addresses"),
    ],
)
def test_an_nginx_that_cannot_balance_as_asked_is_named(
    backend: Backend, version: tuple[int, ...], message: str, hint: str
) -> None:
    one = replace(site(A), routes=(Route(Match(), backend, where="f.yml:7"),))
    with pytest.raises(InputError) as caught:
        site_files(stack(one), one, DUMMY, version, custom=None)
    assert caught.value.where == "f.yml:7"
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")
    assert site_files(stack(one), one, DUMMY, NEW, custom=None)


def test_the_zone_has_room_for_every_server() -> None:
    many = tuple(Server(Endpoint(f"10.0.0.{number}", 80)) for number in range(1, 65))
    made = stack(replace(site(A), routes=(Route(Match(), Backend(many)),)))
    assert "zone apps 512k;" in shared_files(made, NEW, custom=None)["nginx.conf"].decode()


@pytest.mark.parametrize("preset", Preset)
def test_names_of_variables_fit_into_the_table_that_nginx_has_without_any_of_a_site(preset: Preset) -> None:
    hsts = Hsts(315_360_000, subdomains=True, preload=True)
    found = shared_header_maps([site(tuning=Tuning(headers=Headers(preset, hsts)))])
    assert [one.name for one in found if len(one.name.removeprefix("$")) > 46] == []
