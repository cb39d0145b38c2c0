"""nginx: copies of the user's files start without the hosts that they name, and mean the same."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackctl.certs.held import held
from stackctl.certs.shelf import Shelf
from stackctl.model.values import Domain
from stackctl.proxies.nginx.directives import Directive
from stackctl.proxies.nginx.late import Copy, Surroundings, copied, groups_in
from stackctl.proxies.nginx.proxy import Nginx
from stackctl.proxies.nginx.reader import parse
from stackctl.proxies.sites import Rendering, site_tls
from tests.unit.build import site, stack, whole

AROUND = Surroundings("a.example.com.custom", frozenset({"app_a.example.com", "stackctl"}), frozenset({"db.local"}))


def copy(text: str, around: Surroundings = AROUND) -> Copy:
    made = copied(text.encode(), around)
    parse(made.content, "copy")
    parse(made.definitions.encode(), "definitions")
    return made


def body(text: str, around: Surroundings = AROUND) -> str:
    """The copy without the comment at its end; digests are shown as a star."""
    return re.sub(r"_[0-9a-f]{8}\b", "*", copy(text, around).content.decode().partition("\n# Changed in")[0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("proxy_pass http://api:8000;", "proxy_pass http://$own_api_8000; proxy_redirect http://api:8000/ /;"),
        ("proxy_pass http://api;", "proxy_pass http://$own_api; proxy_redirect http://api/ /;"),
        ("proxy_pass https://api;", "proxy_pass https://$own_api; proxy_redirect https://api/ /;"),
        ('proxy_pass "http://api:80";', "proxy_pass http://$own_api_80; proxy_redirect http://api:80/ /;"),
        ("proxy_redirect off; proxy_pass http://api;", "proxy_redirect off; proxy_pass http://$own_api;"),
        (
            "proxy_pass http://api:8; proxy_redirect default;",
            "proxy_pass http://$own_api_8; proxy_redirect http://api:8/ /;",
        ),
        (
            "proxy_pass http://api:8000/;",
            "proxy_pass http://own_api_8000*/; proxy_redirect http://api:8000/ /x/;",
        ),
        (
            "proxy_pass http://api/v1?a=b;",
            "proxy_pass http://own_api_80*/v1?a=b; proxy_redirect http://api/v1?a=b /x/;",
        ),
        (
            "proxy_pass https://api/;",
            "proxy_pass https://own_api_443*/; proxy_redirect https://api/ /x/; proxy_ssl_name api;",
        ),
        (
            "proxy_set_header X 1; proxy_pass http://api/;",
            (
                "proxy_set_header X 1; proxy_pass http://own_api_80*/; proxy_redirect http://api/ /x/;"
                ' proxy_set_header Host "api";'
            ),
        ),
        (
            "proxy_set_header host x; proxy_pass http://api/;",
            "proxy_set_header host x; proxy_pass http://own_api_80*/; proxy_redirect http://api/ /x/;",
        ),
        (
            "proxy_pass http://api/; proxy_set_header Host $proxy_host;",
            "proxy_pass http://own_api_80*/; proxy_redirect http://api/ /x/; proxy_set_header Host ${own_proxy_host*};",
        ),
        (
            "include snippets/proxy.conf; proxy_set_header X 1; proxy_pass http://api/;",
            (
                "include snippets/proxy.conf; proxy_set_header X 1; proxy_pass http://own_api_80*/;"
                " proxy_redirect http://api/ /x/;"
            ),
        ),
        (
            "include custom/headers.inc; proxy_pass http://api/;",
            "include custom/headers.inc; proxy_pass http://api/;",
        ),
        ("grpc_pass grpc://api:50051;", "grpc_pass grpc://$own_api_50051;"),
        ("grpc_pass api;", "grpc_pass $own_api;"),
        ("fastcgi_pass php:9000;", "fastcgi_pass $own_php_9000;"),
        ("uwsgi_pass suwsgi://app:3031;", "uwsgi_pass suwsgi://$own_app_3031;"),
        ("scgi_pass app:4000;", "scgi_pass $own_app_4000;"),
        ("memcached_pass cache:11211;", "memcached_pass own_cache_11211*;"),
        (
            "resolver 1.1.1.1; proxy_pass http://api;",
            "resolver 1.1.1.1; proxy_pass http://own_api_80*; proxy_redirect http://api/ /;",
        ),
        (
            "if ($arg_a) { proxy_pass http://api; }",
            "proxy_redirect http://api/ /; if ($arg_a) { proxy_pass http://$own_api; }",
        ),
        (
            "if ($arg_a) { proxy_pass http://api; } proxy_pass http://10.0.0.1;",
            (
                "proxy_redirect http://api/ /; proxy_redirect http://10.0.0.1/ /;"
                " if ($arg_a) { proxy_pass http://$own_api; } proxy_pass http://10.0.0.1;"
            ),
        ),
    ],
)
def test_a_host_is_resolved_for_each_request(text: str, expected: str) -> None:
    assert body(f"location /x/ {{ {text} }}") == f"location /x/ {{ {expected} }}"


@pytest.mark.parametrize(
    "text",
    [
        "proxy_pass http://127.0.0.1:8000;",
        "proxy_pass http://[::1]:8000;",
        "proxy_pass http://localhost:8000/;",
        "proxy_pass http://unix:/run/app.sock:/;",
        "proxy_pass http://app_a.example.com;",
        "proxy_pass http://db.local:5000/;",
        "proxy_pass http://$backend;",
        "proxy_pass http://api:8000$request_uri;",
        "fastcgi_pass unix:/run/php.sock;",
        "fastcgi_pass php;",
        "auth_request /auth;",
        "# proxy_pass http://api;",
        "return 200 'proxy_pass http://api;';",
        "proxy_pass http://api:8000/",
        "proxy_pass http://api; }",
    ],
)
def test_what_starts_by_itself_or_is_no_directive_is_kept_byte_for_byte(text: str) -> None:
    content = f"location /x/ {{ {text}\r\n}}".encode() + b"# \xff\n"
    assert copied(content, AROUND) == Copy(content)


def test_no_line_changes_its_number_and_the_copy_says_what_changed() -> None:
    text = "# mine\nlocation /x/ {\n    proxy_pass http://api:8000/; # here\n\n    if ($a) { return 404; }\n}\n# end"
    made = copy(text)
    assert len(made.content.decode().splitlines()) == len(text.splitlines()) + 2
    assert [line.split("#")[0].split()[:1] for line in made.content.decode().splitlines()[:7]] == [
        line.split("#")[0].split()[:1] for line in text.splitlines()
    ]
    assert made.content.decode().endswith(
        "# end\n# Changed in this copy, so that nginx starts while these hosts do not resolve:\n"
        "# line 3: proxy_pass http://api:8000/\n"
    )
    assert "server api:8000 resolve;" in made.definitions


def test_the_headers_of_an_outer_block_go_with_the_host() -> None:
    text = "location /a { proxy_set_header X 1; location /a/b { proxy_pass http://api/; } }"
    assert 'proxy_set_header X 1; proxy_set_header Host "api"; }' in body(text)


def test_headers_at_the_top_of_a_file_have_a_host_already() -> None:
    assert "Host" not in body("proxy_set_header X 1; location /a { proxy_pass http://api/; }")


def test_a_setting_around_the_file_counts() -> None:
    outer = (Directive("proxy_redirect", ("off",)), Directive("proxy_ssl_name", ("name",)))
    around = Surroundings("a", outer=(outer,))
    assert body("location /x/ { proxy_pass https://api/; }", around).endswith("{ proxy_pass https://own_api_443*/; }")


def test_an_older_nginx_takes_variables_only() -> None:
    old = Surroundings("a", resolves=False)
    assert "$own_api" in body("location /x { proxy_pass http://api; }", old)
    for text in ("location /x { proxy_pass http://api/; }", "upstream a { server api; }"):
        assert copied(text.encode(), old) == Copy(text.encode()), "nginx's own test refuses it"


def test_the_users_own_groups_are_resolved_and_keep_what_they_say() -> None:
    text = """\
upstream api {
    least_conn;
    server one:8000 weight=3 max_fails=2;
    server two:8000 backup;
    server 10.0.0.1:8000;
    server unix:/run/app.sock;
    server localhost:1;
    server db.local:1;
    keepalive 8;
}
upstream other { zone other 64k; server three resolve; server four; }
server { listen 8080; location / { proxy_pass http://api; } }
"""
    assert body(text) == (
        text.removesuffix("\n")
        .replace("upstream api {", "upstream api { zone apps;")
        .replace("max_fails=2;", "max_fails=2 resolve;")
        .replace("backup;", "backup resolve;")
        .replace("server four;", "server four resolve;")
    )
    assert groups_in(text.encode()) == {"api", "other"}


def test_a_copy_is_rendered_and_what_it_needs_stands_beside_the_servers() -> None:
    one = site("a.example.com")
    custom = {
        "http.conf": b"upstream mine { server api:1; }\n",
        "a.example.com.conf": b"location /x/ { proxy_pass http://api:8000/; }\nlocation /m { proxy_pass http://mine; }",
        "a.example.com.location.conf": b"if ($arg_b) { proxy_pass http://b:2; }\n",
    }
    files = whole(Rendering(Nginx(), (1, 30), custom), stack(one), {one.name: site_tls(one, held(one, Shelf()))})
    assert b"server api:8000 resolve;" in files["sites/a.example.com.conf"]
    assert b'default "b:2";' in files["sites/a.example.com.conf"]
    assert b"proxy_pass http://mine;" in files["sites/a.example.com.custom"]
    assert b"server api:1 resolve;" in files["snippets/http.custom"]
    assert b"$own_b_2" in files["sites/a.example.com.location"]


@given(st.text(alphabet=st.sampled_from("abc:/.;{}\"' \\\n#$_proxy_pass http://")))
def test_no_text_breaks_the_copying(text: str) -> None:
    made = copied(f"location / {{ proxy_pass {text}".encode(), AROUND)
    assert made.content.count(b"\n") >= text.count("\n")


@pytest.mark.parametrize(
    ("message", "form"),
    [
        ('host not found in upstream "api:8000"', "set $host_of_app"),
        ('host not found in resolver "dns"', "address"),
        ('host not found in syslog server "logger:514"', "address"),
        ('host not found in set_real_ip_from "lb"', "address"),
        ('host not found in "web:80" of the "listen" directive', "address"),
    ],
)
def test_a_host_that_cannot_be_copied_is_refused_with_the_form_to_use(message: str, form: str) -> None:
    said = f"nginx: [emerg] {message} in /etc/nginx/generations/ab/sites/a.example.com.custom:3\n"
    rejection = Nginx().explain(said, "generations/ab", {})
    assert (rejection.site, rejection.where) == (Domain("a.example.com"), "nginx/custom/a.example.com.conf:3")
    assert form in (rejection.hint or "")


def test_a_file_that_only_the_image_has_is_named_with_the_way_to_it() -> None:
    said = 'open() "/etc/nginx/generations/ab/fastcgi_params" failed (2: No such file or directory)'
    said = f"nginx: [emerg] {said} in /etc/nginx/generations/ab/sites/a.example.com.custom:3\n"
    rejection = Nginx().explain(said, "generations/ab", {})
    assert rejection.where == "nginx/custom/a.example.com.conf:3"
    assert "copy fastcgi_params out of the image into nginx/custom" in (rejection.hint or "")
    assert "include /etc/nginx/custom/fastcgi_params;" in (rejection.hint or "")


def test_the_location_of_the_route_is_not_said_to_be_wrong_in_stackctls_file() -> None:
    said = 'nginx: [emerg] duplicate location "/" in /etc/nginx/generations/ab/sites/a.example.com.conf:25\n'
    files = {"sites/a.example.com.custom": b"# mine\nlocation / {\n  return 200;\n}\n"}
    rejection = Nginx().explain(said, "generations/ab", files)
    assert (rejection.site, rejection.where) == (Domain("a.example.com"), "nginx/custom/a.example.com.conf:2")
    assert "nginx/custom/DOMAIN.location.conf" in (rejection.hint or "")
