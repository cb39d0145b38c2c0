"""Which server block answers for a name, which location for a path: as nginx's own rules have it."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from stackctl.model.backends import Backend, Server
from stackctl.model.endpoints import Endpoint
from stackctl.model.fields import Request
from stackctl.model.matching import Conditions, Match, PathKind, PathMatch
from stackctl.model.routing import Answer, Redirect, Route
from stackctl.model.stack import Stack
from stackctl.model.values import Domain
from stackctl.proxies.nginx.proxy import Nginx
from stackctl.proxies.nginx.reader import LiveTree
from stackctl.proxies.proxy import Files, SiteTls
from stackctl.proxies.sites import Rendering
from stackctl.proxies.trace import Action, Block, Outcome, ServerMatch, Trace
from tests.unit.build import routed as on
from tests.unit.build import stack, whole
from tests.unit.goldens import CASES, rendered


def routed(files: Files, name: str, path: str = "/", port: int = 443) -> Trace:
    found = Nginx().tracer(files, name)(Request("GET", path), port)
    assert found is not None
    return found


def in_http(text: str) -> Files:
    return {"nginx.conf": f"events {{}}\nhttp {{\n{text}\n}}\n".encode()}


LOCATIONS = """\
server {
    listen 443 ssl;
    server_name a.example.com;
    location / { proxy_pass http://root:1; }
    location = /exact { proxy_pass http://exact:1; }
    location /exact { proxy_pass http://prefix-of-exact:1; }
    location /images/ { proxy_pass http://images:1; }
    location ^~ /static/ { proxy_pass http://static:1; }
    location /static/deep/ { proxy_pass http://deep:1; }
    location ~ \\.php$ { proxy_pass http://php:1; }
    location ~* \\.(gif|jpe?g)$ { proxy_pass http://pictures:1; }
    location ~ ^/user/(?<id>\\d+)$ { proxy_pass http://user:1; }
    location ~ \\.jpeg$ { proxy_pass http://never:1; }
    location /outer/ {
        proxy_pass http://outer:1;
        location /outer/inner/ { proxy_pass http://inner:1; }
        location ~ \\.php$ { proxy_pass http://outer-php:1; }
    }
    location "/with space/" { proxy_pass http://space:1; }
    location =/tight { proxy_pass http://tight:1; }
    location @named { proxy_pass http://named:1; }
}
"""


@pytest.mark.parametrize(
    ("path", "host"),
    [
        ("/", "root"),
        ("/any", "root"),
        ("/exact", "exact"),
        ("/exact?q=1", "exact"),
        ("/exact/", "prefix-of-exact"),
        ("/exactly", "prefix-of-exact"),
        ("/images/a.png", "images"),
        ("/images/a.gif", "pictures"),
        ("/images/A.JPEG", "pictures"),
        ("/static/a.gif", "static"),
        ("/static/deep/a.gif", "pictures"),
        ("/static/deep/a.txt", "deep"),
        ("/index.php", "php"),
        ("/index.PHP", "root"),
        ("/user/12", "user"),
        ("/user/x", "root"),
        ("/outer/a", "outer"),
        ("/outer/inner/a", "inner"),
        ("/outer/a.php", "outer-php"),
        ("/outer/inner/a.php", "outer-php"),
        ("/with%20space/x", "space"),
        ("/tight", "tight"),
        ("//images//../images/./x", "images"),
        ("/Images/x", "root"),
    ],
)
def test_the_location_is_the_one_nginx_takes(path: str, host: str) -> None:
    found = routed(in_http(LOCATIONS), "a.example.com", path)
    assert found.action.targets == (Endpoint(host, 1),)


def test_a_missing_slash_is_added_by_a_redirect() -> None:
    found = routed(in_http(LOCATIONS), "a.example.com", "/images")
    assert (found.action.outcome, found.action.status) == (Outcome.REDIRECT, 301)
    assert found.location == Block("location /images/", "nginx/nginx.conf:9")


SERVERS = """\
server { listen 443 ssl default_server; server_name _; ssl_reject_handshake on; }
server { listen 443 ssl; server_name ~^reg(?<n>\\d+)\\.example\\.com$; return 201; }
server { listen 443 ssl; server_name *.example.com; return 202; }
server { listen 443 ssl; server_name *.deep.example.com; return 203; }
server { listen 443 ssl; server_name www.example.*; return 204; }
server { listen 443 ssl; server_name .dot.org exact.example.com; return 205; }
server { listen 443 ssl; server_name exact.example.com; return 206; }
server { listen 80; server_name exact.example.com; return 207; }
server { listen 127.0.0.1:443 ssl; server_name local.example.com; return 208; }
server { server_name bare.example.com; return 209; }
"""


@pytest.mark.parametrize(
    ("name", "port", "status", "match"),
    [
        ("exact.example.com", 443, 205, ServerMatch.EXACT),
        ("EXACT.example.com", 443, 205, ServerMatch.EXACT),
        ("exact.example.com", 80, 207, ServerMatch.EXACT),
        ("a.example.com", 443, 202, ServerMatch.WILDCARD),
        ("reg1.example.com", 443, 202, ServerMatch.WILDCARD),
        ("a.deep.example.com", 443, 203, ServerMatch.WILDCARD),
        ("www.example.net", 443, 204, ServerMatch.WILDCARD),
        ("dot.org", 443, 205, ServerMatch.EXACT),
        ("a.dot.org", 443, 205, ServerMatch.WILDCARD),
        ("local.example.com", 443, 202, ServerMatch.WILDCARD),
        ("bare.example.com", 80, 209, ServerMatch.EXACT),
        ("stranger.org", 443, None, ServerMatch.DEFAULT),
        ("stranger.org", 80, 207, ServerMatch.DEFAULT),
    ],
)
def test_the_server_is_the_one_nginx_takes(name: str, port: int, status: int | None, match: ServerMatch) -> None:
    found = routed(in_http(SERVERS), name, "/", port)
    assert (found.action.status, found.match) == (status, match)


def test_a_regex_is_asked_when_no_name_fits() -> None:
    text = SERVERS.replace("server { listen 443 ssl; server_name *.example.com; return 202; }\n", "")
    assert routed(in_http(text), "reg12.example.com").match is ServerMatch.REGEX


def test_nothing_listens_there() -> None:
    files = in_http(SERVERS)
    assert Nginx().tracer(files, "a.example.com")(Request("GET", "/"), 8080) is None
    assert Nginx().tracer({}, "a.example.com")(Request("GET", "/"), 443) is None


@pytest.mark.parametrize("version", ["1.22", "1.30"])
def test_the_files_that_are_written_lead_to_the_app(version: str) -> None:
    files = rendered(CASES["three_apps"], version)
    found = routed(files, "www.example.com", "/x?y")
    assert found.action.targets == (Endpoint("web", 8000),)
    assert found.server.text == "server example.com www.example.com"
    place, _, line = found.server.place.partition(":")
    assert place == "nginx/sites/example.com.conf"
    assert files["sites/example.com.conf"].decode().splitlines()[int(line) - 1] == "server {"
    assert routed(files, "api.example.com").action.targets == (Endpoint("api_v2", 3000),)
    assert routed(files, "stranger.org").action.outcome is Outcome.REFUSE
    plain = routed(files, "www.example.com", "/", 80)
    assert (plain.action.status, plain.match) == (301, ServerMatch.EXACT)
    assert routed(files, "stranger.org", "/", 80).action.outcome is Outcome.CLOSE
    challenge = routed(files, "stranger.org", "/.well-known/acme-challenge/x", 80)
    assert challenge.location is not None
    assert challenge.location.place.startswith("nginx/snippets/acme.conf:")


def test_an_upstream_outside_compose() -> None:
    files = rendered(CASES["outside"], "1.22")
    assert routed(files, "v4.example.com").action.targets == (Endpoint("192.0.2.5", 8080),)
    assert routed(files, "v6.example.com").action.targets == (Endpoint("2001:db8::5", 8080),)
    assert routed(files, "name.example.com").action.targets == (Endpoint("legacy.internal", 3000),)


def test_the_users_own_location_is_shown_where_it_is_written() -> None:
    found = routed(rendered(CASES["custom"], "1.30"), "a.example.com", "/static/x.css")
    assert found.location == Block("location /static/", "nginx/custom/a.example.com.conf:4")
    assert (found.action.outcome, found.action.place) == (Outcome.FILES, "nginx/custom/a.example.com.conf:5")


def test_what_may_answer_before_is_reported() -> None:
    text = """\
    limit_req zone=all;
    auth_basic outer;
    server {
        listen 443 ssl;
        server_name a.example.com;
        if ($host = b) { return 301 https://b; }
        if ($host ~ "(") { return 301 https://c; }
        auth_basic "inner";
        location / { rewrite ^/x /y; proxy_pass http://web:1; }
        location /open { auth_basic off; proxy_pass http://web:1; }
    }"""
    files = in_http(text)
    assert [rule.text for rule in routed(files, "a.example.com").rules] == [
        "if ($host ~ () return 301 https://c",
        "rewrite ^/x /y",
        "auth_basic inner",
        "limit_req zone=all",
    ]
    assert "auth_basic" not in str(routed(files, "a.example.com", "/open").rules)


def test_a_condition_that_the_traced_request_does_not_meet_is_no_rule() -> None:
    text = """\
    server {
        listen 443 ssl;
        server_name a.example.com www.example.com;
        if ($ssl_server_name !~* "^(a\\.example\\.com|www\\.example\\.com)\\Z") { return 421; }
        if ($ssl_server_name = www.example.com) { return 403; }
        if ($ssl_server_name != "") { return 401; }
        if ($request_method !~ "^(GET|HEAD)$") { return 308 https://$host; }
        if ($request_method ~* get) { return 405; }
        if ($uri ~ ^/token/) { break; }
        if ($arg_x ~ y) { break; return 402; }
        if ($ssl_server_name ~ "(") { return 400; }
        location / { proxy_pass http://web:1; }
    }"""
    shown = [rule.text.partition(") ")[2] for rule in routed(in_http(text), "A.example.com").rules]
    assert shown == ["return 401", "return 405", "return 402", "return 400"]
    for case in ("issued", "custom"):
        files = rendered(CASES[case], "1.30")
        for port in (80, 443):
            assert routed(files, "a.example.com", port=port).rules == ()


def test_where_requests_are_passed_on_to() -> None:
    text = """\
    upstream pool { server one:1; server two; server three:3 down; server unix:/s; }
    server {
        listen 443 ssl; server_name a.example.com;
        location /pool { proxy_pass https://pool/base; }
        location /tls { proxy_pass https://other; }
        location /php { fastcgi_pass php:9000; }
        location /late { proxy_pass http://$arg_host; }
        location /gone { return 410 "gone"; }
        location /away { return https://b.example.com; }
        root /srv/www;
        location /files { index a.html; }
    }"""
    files = in_http(text)
    shown = {path: routed(files, "a.example.com", path).action for path in ("/pool", "/tls", "/php", "/late")}
    assert shown["/pool"].targets == (Endpoint("one", 1), Endpoint("two", 80))
    assert shown["/pool"].group == Block("upstream pool", "nginx/nginx.conf:3")
    assert shown["/tls"].targets == (Endpoint("other", 443),)
    assert (shown["/php"].targets, shown["/php"].scheme) == ((Endpoint("php", 9000),), "fastcgi")
    assert (shown["/late"].outcome, shown["/late"].targets) == (Outcome.PROXY, ())
    assert routed(files, "a.example.com", "/gone").action.status == 410
    assert routed(files, "a.example.com", "/away").action.outcome is Outcome.REDIRECT
    assert routed(files, "a.example.com", "/files").action.text == "root /srv/www"


def test_a_target_that_the_share_of_a_client_decides_is_each_of_them() -> None:
    text = """\
    upstream pool { server one:1; server two; }
    split_clients "$remote_addr" $share { 0.5% two:2; 9.5% three:3; * pool; }
    split_clients "$remote_addr" $odd { many a:1; * b:1; }
    map $http_x_side $side { default $share; "~^new$" two:2; same $same; }
    map "" $same { default pool; }
    server {
        listen 443 ssl; server_name a.example.com;
        location / { proxy_pass http://$side; }
        location /odd { proxy_pass http://$odd; }
    }"""
    files = in_http(text)

    def action(*headers: tuple[str, str], path: str = "/") -> Action:
        found = Nginx().tracer(files, "a.example.com")(Request("GET", path, headers=headers), 443)
        assert found is not None
        return found.action

    shared = action()
    assert [(str(one), one.targets) for one in shared.shares] == [
        ("90 %", (Endpoint("one", 1), Endpoint("two", 80))),
        ("9.5 %", (Endpoint("three", 3),)),
        ("0.5 %", (Endpoint("two", 2),)),
    ]
    assert shared.targets == (Endpoint("one", 1), Endpoint("two", 80), Endpoint("three", 3), Endpoint("two", 2))
    assert action(("X-Side", "new")).targets == (Endpoint("two", 2),)
    same = action(("X-Side", "same"))
    assert (same.targets, same.shares) == ((Endpoint("one", 1), Endpoint("two", 80)), ())
    assert same.group == Block("upstream pool", "nginx/nginx.conf:3")
    assert (action(path="/odd").targets, action(path="/odd").shares) == ((), ())


def test_only_files_that_can_answer_are_parsed() -> None:
    files = {f"sites/{n}.example.com.conf": b"server { listen 443; server_name %d.example.com; }" % n for n in range(3)}
    main = b"http {\n include sites/*.conf;\n include /etc/passwd;\n include ../../x;\n include gone.conf;\n}"
    files = {**files, "nginx.conf": main, "sites/w.conf": b"server { server_name *.example.com; }"}
    (http,) = LiveTree(files, "/etc/nginx", lambda path: f"nginx/{path}", "1.example.com").directives()
    assert [one.at for one in http.inner] == ["nginx/sites/1.example.com.conf:1", "nginx/sites/w.conf:1"]


def test_an_include_by_the_containers_path_is_found() -> None:
    files = {
        "nginx.conf": b"http {\n include /etc/nginx/custom/own.inc;\n}",
        "custom/own.inc": b"server { listen 443; server_name a.org; return 204; }",
    }
    assert routed(files, "a.org").server.place == "nginx/custom/own.inc:1"


LOG = """\
10.9.0.1 - - [22/Nov/2026:01:00:00 +0000] a.example.com "GET / HTTP/1.1" 502 157 "-" "curl" 0.001 -
2026/11/22 01:00:00 [error] 29#29: *12 connect() failed (111: Connection refused) while connecting to upstream, \
client: 10.9.0.1, server: a.example.com, request: "GET /x HTTP/1.1", upstream: "http://10.9.0.3:8000/x", \
host: "A.example.com:8443"
2026/11/22 01:00:01 [notice] 1#1: signal 1 (SIGHUP) received from 7, reconfiguring
2026/11/22 01:00:02 [error] 29#29: *13 limiting requests, excess: 0.9 by zone "login", client: 10.9.0.1, \
server: b.example.com, request: "GET / HTTP/2.0", host: "b.example.com"
2026/11/22 01:00:03 [warn] 29#29: *15 a client request body is buffered to a temporary file /var/cache/nginx/1, \
client: 10.9.0.1, server: a.example.com, request: "POST /up HTTP/1.1", host: "a.example.com"
2026/11/22 01:00:03 [info] 29#29: *14 client sent no host, client: 10.9.0.1, server: _
"""


def test_notices_of_signals_are_routine() -> None:
    notice = "2026/11/22 01:00:01 [notice] 1#1: "
    for text in (
        "signal 29 (SIGIO) received",
        "signal 15 (SIGTERM) received from 1, exiting",
        "gracefully shutting down",
    ):
        assert Nginx().is_routine(notice + text), text
    assert [line for line in LOG.splitlines() if Nginx().is_routine(line)] == [
        notice + "signal 1 (SIGHUP) received from 7, reconfiguring"
    ]


def test_errors_of_requests_are_read_from_the_log() -> None:
    first, second = Nginx().logged_errors(LOG)
    assert (first.host, first.request, first.upstream) == (
        "a.example.com",
        "GET /x HTTP/1.1",
        "http://10.9.0.3:8000/x",
    )
    assert first.message == "connect() failed (111: Connection refused) while connecting to upstream"
    assert (second.host, second.upstream, second.level) == ("b.example.com", None, "error")
    assert second.message == 'limiting requests, excess: 0.9 by zone "login"'


def test_files_that_include_each_other_end() -> None:
    files = {
        "nginx.conf": b"http { server { listen 443; server_name a; return 204; } include /etc/nginx/custom/a.inc; }",
        "custom/a.inc": b"include /etc/nginx/custom/a.inc;",
    }
    assert routed(files, "a").action.status == 204


SHOP = "shop.example.com"


@pytest.mark.parametrize(
    ("request_", "location", "host"),
    [
        (Request("GET", "/"), "location /", "web"),
        (Request("POST", "/v2/x?y"), "location @stackctl_2", "api"),
        (Request("GET", "/v2/x"), "location /", "web"),
        (Request("GET", "/", (("X-V", "2.1"),)), "location @stackctl_3", "api"),
        (Request("GET", "/?preview=a+b", (("Cookie", "group=beta"),)), "location /", "web"),
        (
            Request("GET", "/?preview=a+b", (("Cookie", "group=beta"),), ip_address("192.0.2.7")),
            "location @stackctl_4",
            "api",
        ),
        (Request("GET", "/api?preview=a+b", (("Cookie", "group=beta"),), ip_address("192.0.2.7")), "location /", "web"),
        (Request("GET", "/old/12"), "location @stackctl_1", ""),
    ],
)
def test_the_live_files_hand_a_request_to_the_location_of_its_rule(request_: Request, location: str, host: str) -> None:
    found = Nginx().tracer(rendered(CASES["rules"], "1.30"), SHOP)(request_, 443)
    assert found is not None
    assert found.location is not None
    assert (found.location.text, found.rules) == (location, ())
    assert [target.host for target in found.action.targets] == ([host] if host else [])


def test_the_live_files_refuse_a_prefix_that_only_matches_decoded() -> None:
    refused, taken = (
        Nginx().tracer(rendered(CASES["paths"], "1.30"), SHOP)(Request("GET", path), 443)
        for path in ("//api/x", "/api/x")
    )
    assert refused is not None
    assert taken is not None
    assert (refused.action.outcome, refused.action.status) == (Outcome.ANSWER, 400)
    assert [target.host for target in taken.action.targets] == ["api"]


def test_many_redirects_that_differ_in_their_url_share_a_location() -> None:
    numbers = range(20)
    paths = [Conditions((PathMatch(f"^/old/{number}$", PathKind.REGEX),)) for number in numbers]
    rules = [Route(Match(path), Redirect(f"https://new.example.com/{one}")) for one, path in enumerate(paths)]
    post = Match(Conditions(methods=("POST",)))
    answers = [Route(replace(post, none_of=path), Answer(403, f'no "{one}\n')) for one, path in enumerate(paths[:16])]
    files = whole(Rendering(Nginx(), (1, 30, 4), {}), *site_of(*rules, *answers, Route(post, Answer(404))))
    text = files[f"sites/{SHOP}.conf"].decode()
    assert text.count("location @") == 3
    found = Nginx().tracer(files, SHOP)(Request("GET", "/old/17"), 443)
    assert found is not None
    assert (found.action.outcome, found.action.text) == (Outcome.REDIRECT, "return 308 https://new.example.com/17")


def test_a_site_of_many_servers_has_a_comment_that_nginx_takes() -> None:
    apps = (
        Route(Match.of(f"/{one}"), Backend((Server(Endpoint(f"app-{one}.example.com", 80)),))) for one in range(300)
    )
    files = whole(Rendering(Nginx(), (1, 30, 4), {}), *site_of(*apps))
    assert max(map(len, files[f"sites/{SHOP}.conf"].splitlines())) < 4096


def site_of(*routes: Route) -> tuple[Stack, dict[Domain, SiteTls]]:
    made = on(SHOP, *routes)
    return stack(made), {made.name: SiteTls("chain.pem", "key.pem", frozenset(made.domains))}
