"""A name belongs to the server that answers for it; what is kept keeps its effect."""

from __future__ import annotations

import pytest

from stackctl.adopt.nginx_conf import read_conf
from stackctl.adopt.proposal import Handling, Proposal
from stackctl.adopt.reading import read_proposal
from stackctl.certs.copied import lineage_pair
from stackctl.proxies.nginx.reader import parse
from tests.unit.adopted import NAME, proposal_of
from tests.unit.build import certificate, project, service

OTHER = "website.example.com"
CERTIFICATE = f"""
    ssl_certificate /etc/letsencrypt/live/{NAME}/fullchain.pem;
    ssl_certificate_key /etc/letsencrypt/live/{NAME}/privkey.pem;
"""
APP = f"""
server {{
    listen 443 ssl;
    server_name {NAME};
    {CERTIFICATE}
    location / {{ proxy_pass http://app1:8000; proxy_set_header Host $host; }}
}}
"""


def shared(text: str, *names: str) -> Proposal:
    """Return the proposal where one certificate has all names."""
    there = project(service("app1"), service("app2"))
    one = certificate(NAME, OTHER, *names)
    return read_proposal(read_conf(parse(text.encode(), "x.conf")), there, {NAME: one}, resolves=True)


def texts(proposal: Proposal, handling: Handling) -> list[str]:
    return [remark.text for remark in proposal.remarks_of(handling)]


@pytest.mark.parametrize(
    "names",
    [OTHER, f"{OTHER} www.{OTHER}", "*.example.com", ".example.com", r"~^website\.", "website.*"],
)
@pytest.mark.parametrize(
    "redirect", ["return 301 https://$host$request_uri;", "rewrite ^ https://$host$uri permanent;"]
)
def test_a_second_server_on_the_same_certificate_keeps_its_names(names: str, redirect: str) -> None:
    static = f"server {{ listen 443 ssl; server_name {names}; {CERTIFICATE} root /srv/site; }}"
    plain = f"server {{ listen 80; server_name {NAME} {names}; {redirect} }}"
    proposal = shared(APP + static + plain)
    [site] = proposal.sites
    assert site.domains == (NAME,)
    [secure, insecure] = proposal.http.split("server {\n")[1:]
    assert f"server_name {names.partition(' ')[0]}" in secure.replace('"', "")
    assert "root /srv/site;" in secure
    assert names.partition(" ")[0] in insecure


def test_a_name_of_the_certificate_that_no_server_has_belongs_to_the_default_server() -> None:
    [site] = shared(APP).sites
    assert site.domains == (NAME, OTHER)


@pytest.mark.parametrize("pattern", ["*.example.com", ".example.com", r"~^web", "website.*"])
def test_a_pattern_that_matches_a_name_of_the_certificate_answers_for_it(pattern: str) -> None:
    static = f"server {{ listen 443 ssl; server_name {pattern}; {CERTIFICATE} root /srv/site; }}"
    [site] = shared(APP + static).sites
    assert site.domains == (NAME,)


@pytest.mark.parametrize(
    ("inside", "was"),
    [
        ("return 404;", "unknown names were answered with 404 over http, and now get no answer"),
        ("location / { return 503; }", "unknown names were answered with 503 over http, and now get no answer"),
        ("", "unknown names were answered with 404 over http, and now get no answer"),
        (
            f"if ($host = {NAME}) {{ return 301 https://$host$request_uri; }} return 404;",
            "unknown names were answered with 404 over http, and now get no answer",
        ),
        ("return 444;", None),
        ("return 301 https://$host$request_uri;", "unknown names were redirected over http, and are now refused"),
    ],
)
def test_what_unknown_names_got_is_a_remark(inside: str, was: str | None) -> None:
    proposal = shared(f"server {{ listen 80 default_server; server_name _; {inside} }} {APP}")
    assert [text for text in texts(proposal, Handling.CHANGED) if "over http," in text] == ([was] if was else [])


@pytest.mark.parametrize("inside", ["root /srv/site;", "root /srv/site; location = /private { return 403; }"])
def test_a_default_server_with_files_does_not_refuse_unknown_names(inside: str) -> None:
    proposal = shared(f"server {{ listen 80 default_server; server_name _; {inside} }} {APP}")
    assert not any("replaced by stackctl's own" in text for text in texts(proposal, Handling.REPLACED))
    assert "unknown names were answered over http, and are now refused" in texts(proposal, Handling.CHANGED)


@pytest.mark.parametrize(
    ("path", "is_acmes"),
    [
        ("/.well-known/acme-challenge/", True),
        ("/.well-known/acme-challenge", True),
        ("^~ /.well-known/acme-challenge/", True),
        (r"~ /\.well-known/acme-challenge", True),
        (r"~* ^/\.well-known\/acme-challenge/.*$", True),
        ("= /.well-known/matrix/server", False),
        ("/.well-known/openid-configuration", False),
        ("= /.well-known/carddav", False),
        ("/.well-known/assetlinks.json", False),
        ("/.well-known/acme-challenges-of-ours", False),
        ("/.well-known/", False),
        (r"~ /\.(?!well-known)", False),
    ],
)
def test_only_the_challenge_is_acmes(path: str, is_acmes: bool) -> None:
    inside = f"location {path} {{ default_type application/json; return 200 '{{}}'; }}"
    proposal = proposal_of(APP.rstrip().removesuffix("}") + inside + "}")
    assert (f"location {path.replace(chr(92), chr(92))}" not in proposal.sites[0].custom.replace('"', "")) == is_acmes


@pytest.mark.parametrize("body", ["root /var/www/certbot;", "root /var/www/certbot; try_files $uri =404;", ""])
def test_a_location_of_files_below_well_known_on_port_80_is_the_webroot(body: str) -> None:
    files = f"location /.well-known/ {{ {body} }}"
    plain = f"server {{ listen 80; server_name {NAME}; {files} return 301 https://$host$request_uri; }}"
    proposal = proposal_of(APP + plain)
    assert not texts(proposal, Handling.UNSUPPORTED)


@pytest.mark.parametrize(
    "chosen",
    [
        "map $cookie_canary $pool { default be; v2 be2; }",
        "split_clients $remote_addr $pool { 10% be2; * be; }",
        "geo $pool { default be; 10.0.0.0/8 be2; }",
    ],
)
def test_groups_that_a_variable_names_are_kept(chosen: str) -> None:
    groups = "upstream be { server app1:8000; } upstream be2 { server app2:8000; }"
    proposal = proposal_of(f"{groups} {chosen} {APP.replace('http://app1:8000', 'http://$pool')}")
    for name in ("app1:8000 resolve", "app2:8000 resolve", "upstream be {", "upstream be2 {"):
        assert name in proposal.http


@pytest.mark.parametrize(
    ("passed", "header", "expected"),
    [
        ("http://api.example.net", "Host api.example.net", "proxy_redirect http://api.example.net/ /;"),
        ("http://api.example.net/", "Host api.example.net", "proxy_redirect http://api.example.net/ /;"),
        ("http://api.example.net:8080", "Host $proxy_host", "proxy_redirect http://api.example.net:8080/ /;"),
        ("http://api.example.net", "X-A b", "proxy_redirect http://api.example.net/ /;"),
        ("http://api.example.net", "Host $host", None),
        ("http://api.example.net", "Host $http_host", None),
        ("http://api.example.net", 'Host "$host:$server_port"', None),
    ],
)
def test_redirects_of_an_app_that_gets_its_own_name_are_rewritten(
    passed: str, header: str, expected: str | None
) -> None:
    text = APP.replace("http://app1:8000", passed).replace("Host $host", header)
    [site] = proposal_of(text).sites
    assert (expected or "") in site.location
    assert ("proxy_redirect" in site.location) == (expected is not None)
    assert "$proxy_host" not in site.location


def test_a_redirect_that_a_location_sets_itself_stays() -> None:
    text = APP.replace("Host $host;", "Host app.internal; proxy_redirect off;")
    [site] = proposal_of(text).sites
    assert site.location.count("proxy_redirect") == 1


@pytest.mark.parametrize("name", ["*.o.example.com", r"~^(.+)\.o\.example\.com$", "o.example.*"])
def test_a_redirect_of_patterns_on_port_80_is_kept(name: str) -> None:
    secure = f"server {{ listen 443 ssl; server_name {name}; {CERTIFICATE} location / {{ root /srv; }} }}"
    plain = f"server {{ listen 80; server_name {name}; return 301 https://$host$request_uri; }}"
    proposal = proposal_of(f"{secure} {plain}")
    assert "listen 80;" in proposal.http
    assert "return 301 https://$host$request_uri;" in proposal.http


def test_of_two_servers_with_a_name_the_first_is_taken_and_the_other_listed() -> None:
    www = f"www.{NAME}"
    redirect = f"server {{ listen 443 ssl; server_name {www}; {CERTIFICATE} return 301 https://{NAME}$request_uri; }}"
    leftover = (
        f"server {{ listen 443 ssl; server_name {www}; {CERTIFICATE} location / {{ proxy_pass http://app2:1; }} }}"
    )
    proposal = proposal_of(f"{redirect}\n{leftover}\n{APP}")
    [site] = proposal.sites
    assert (site.domains, str(site.server)) == ((NAME, www), "app1:8000")
    assert "return 301" in site.custom
    [ignored] = [one for one in proposal.remarks_of(Handling.REPLACED) if "a second server" in one.text]
    assert (ignored.text, ignored.at) == (f"a second server for {www}, which nginx ignores for that name", "x.conf:5")


def test_a_server_that_is_second_on_one_port_only_keeps_the_other() -> None:
    first = f"server {{ listen 443 ssl; server_name {NAME}; {CERTIFICATE} location / {{ proxy_pass http://app1:1; }} }}"
    both = f"server {{ listen 8443 ssl; listen 443 ssl; server_name {NAME}; {CERTIFICATE} root /srv; }}"
    proposal = proposal_of(f"{first} {both}")
    assert [str(site.server) for site in proposal.sites] == ["app1:1"]
    assert "listen 8443 ssl;" in proposal.http
    assert "listen 443" not in proposal.http


@pytest.mark.parametrize("names", ["", "server_name _;", "server_name localhost;", 'server_name "";'])
def test_a_tls_server_without_a_name_gets_those_of_its_certificate(names: str) -> None:
    www = f"server {{ listen 443 ssl; server_name www.{NAME}; {CERTIFICATE} return 301 https://{NAME}$request_uri; }}"
    unnamed = APP.replace(f"server_name {NAME};", names).replace("listen 443 ssl;", "listen 443 ssl default_server;")
    proposal = proposal_of(f"{unnamed} {www} server {{ listen 80; return 301 https://$host$request_uri; }}")
    assert [site.domains for site in proposal.sites] == [(NAME, f"www.{NAME}")]
    assert any(text.endswith(f"the names of its certificate: {NAME}") for text in texts(proposal, Handling.CHANGED))
    assert not texts(proposal, Handling.UNSUPPORTED)


def test_static_files_of_a_server_without_a_name_are_kept_under_the_names_of_its_certificate() -> None:
    proposal = proposal_of(f"server {{ listen 443 ssl; {CERTIFICATE} root /srv; }}")
    assert f"server_name {NAME} www.{NAME};" in proposal.http
    assert not texts(proposal, Handling.UNSUPPORTED)


def test_a_server_without_a_name_on_port_80_stands_for_the_sites() -> None:
    plain = "server { listen 80; location / { proxy_pass http://app1:8000; } location /x { return 200; } }"
    proposal = proposal_of(f"{plain} {APP}")
    assert not texts(proposal, Handling.UNSUPPORTED)
    assert f"http://{NAME} is now redirected to HTTPS" in texts(proposal, Handling.CHANGED)


def test_without_any_certificate_a_server_needs_a_name() -> None:
    proposal = proposal_of("server { listen 80; location / { proxy_pass http://app1:8000; } }")
    [lost] = texts(proposal, Handling.UNSUPPORTED)
    assert "give it a server_name" in lost


def test_an_old_nginx_names_the_way_out() -> None:
    text = APP.rstrip().removesuffix("}") + "location /api/ { proxy_pass http://app2:2/; } }"
    proposal = read_proposal(
        read_conf(parse(text.encode(), "x.conf")), project(service("app1"), service("app2")), {}, resolves=False
    )
    [found] = texts(proposal, Handling.UNSUPPORTED)
    assert "'stackctl adopt --proxy-image IMAGE'" in found


@pytest.mark.parametrize(
    ("line", "is_supported"),
    [
        ("worker_cpu_affinity auto;", True),
        ("pcre_jit on;", True),
        ("load_module modules/ngx_http_geoip_module.so;", True),
        ("load_module modules/ngx_stream_module.so;", True),
        ("load_module modules/ngx_http_lua_module.so;", True),
        ("load_module modules/ngx_http_headers_more_filter_module.so;", False),
        ("load_module modules/ngx_of_ours.so;", False),
        ("env TOKEN;", False),
        ("stream { server { listen 5432; proxy_pass db:5432; } }", False),
    ],
)
def test_what_stands_outside_http_is_dropped_where_nothing_needs_it(line: str, is_supported: bool) -> None:
    proposal = proposal_of(f"{line} http {{ more_clear_headers Server; {APP} }}")
    lost = [one for one in texts(proposal, Handling.UNSUPPORTED) if "outside 'http'" in one]
    assert bool(lost) != is_supported


def test_a_cache_moves_to_where_it_can_be_written_and_goes_on_caching() -> None:
    cache = "proxy_cache_path /data/nginx/cache levels=1:2 keys_zone=c:1m;"
    proposal = proposal_of(cache + APP.replace("Host $host;", "Host $host; proxy_cache c;"))
    assert "proxy_cache_path /var/cache/nginx/data_nginx_cache levels=1:2 keys_zone=c:1m;" in proposal.http
    assert "proxy_buffering on;" in proposal.sites[0].location
    assert any("the cache is now in" in text for text in texts(proposal, Handling.CHANGED))


@pytest.mark.parametrize(
    ("directive", "kept", "copied"),
    [
        ("auth_basic_user_file /etc/nginx/.htpasswd", "/etc/nginx/custom/htpasswd", "/etc/nginx/.htpasswd"),
        ("auth_basic_user_file conf.d/users", "/etc/nginx/custom/users", "/etc/nginx/conf.d/users"),
        ("auth_basic_user_file /srv/users", "/srv/users", None),
        ("alias /etc/nginx/html/", "/etc/nginx/custom/html/", "/etc/nginx/html"),
        ("root /etc/nginx/html", "/etc/nginx/custom/html", "/etc/nginx/html"),
        ("root /srv/$host", "/srv/$host", None),
        ("alias /etc/nginx/files/$1", "/etc/nginx/custom/files/$1", "/etc/nginx/files"),
        ("js_import /etc/nginx/njs/a.js", "/etc/nginx/custom/a.js", "/etc/nginx/njs/a.js"),
        ("js_import main from njs/a.js", "main from /etc/nginx/custom/a.js", "/etc/nginx/njs/a.js"),
        ("content_by_lua_file /etc/nginx/lua/a.lua", "/etc/nginx/custom/a.lua", "/etc/nginx/lua/a.lua"),
        ("proxy_ssl_trusted_certificate /etc/nginx/ca.pem", "/etc/nginx/custom/ca.pem", "/etc/nginx/ca.pem"),
    ],
)
def test_files_that_the_new_container_lacks_are_copied(directive: str, kept: str, copied: str | None) -> None:
    proposal = proposal_of(APP.rstrip().removesuffix("}") + f"location /x {{ {directive}; }} }}")
    assert f"{directive.partition(' ')[0]} {kept};" in proposal.sites[0].custom
    assert [*proposal.copies.values(), *proposal.folders.values()] == ([copied] if copied else [])


def test_a_password_file_that_cannot_be_found_lets_no_one_in() -> None:
    protected = 'location /x { auth_basic "x"; auth_basic_user_file /etc/nginx/$host.users; }'
    proposal = proposal_of(APP.rstrip().removesuffix("}") + protected + "}")
    assert "auth_basic_user_file /etc/nginx/$host.users;" in proposal.sites[0].custom
    assert any("auth_basic_user_file" in text for text in texts(proposal, Handling.UNSUPPORTED))


def test_certificates_by_the_name_of_the_request_are_read_from_the_copies() -> None:
    live = "/etc/letsencrypt/live/$ssl_server_name"
    by_name = f"ssl_certificate {live}/fullchain.pem; ssl_certificate_key {live}/privkey.pem;"
    proposal = proposal_of(f"server {{ listen 443 ssl; server_name *.x.example.com; {by_name} root /srv; }}")
    assert f"ssl_certificate {lineage_pair('$ssl_server_name').chain};" in proposal.http


@pytest.mark.parametrize(
    ("http", "expected"), [("", "default_type text/plain;"), ("default_type text/html;", "default_type text/html;")]
)
def test_files_of_an_unknown_type_keep_their_type(http: str, expected: str) -> None:
    static = f"server {{ listen 443 ssl; server_name {OTHER}; {CERTIFICATE} root /srv; }}"
    files = "location /files/ { alias /srv/; }"
    proposal = proposal_of(f"events {{}} http {{ {http} {APP.rstrip().removesuffix('}')} {files} }} {static} }}")
    assert expected in proposal.http
    assert expected in proposal.sites[0].custom


@pytest.mark.parametrize("own", [True, False])
def test_a_kept_log_in_the_format_main_is_a_remark(own: bool) -> None:
    log = "access_log syslog:server=192.0.2.1:514 main;"
    app = APP.replace("listen 443 ssl;", f"listen 443 ssl; {log} access_log /var/log/a.log main;")
    proposal = shared(("log_format main '$host';" if own else "log_format other '$host';") + app)
    found = [text for text in texts(proposal, Handling.CHANGED) if "the format main" in text]
    assert found == ([f"{log[:-1]}: the format main is stackctl's from now on"] if own else [])


@pytest.mark.parametrize("pattern", ["*.o.example.com", r"~^v\d+\.example\.com$"])
def test_a_pattern_that_answered_unknown_names_is_a_remark(pattern: str) -> None:
    proposal = shared(f"server {{ listen 443 ssl; server_name {pattern}; {CERTIFICATE} root /srv; }} {APP}")
    text = f"unknown names were answered by {pattern} over https, and are now refused"
    assert text in texts(proposal, Handling.CHANGED)
