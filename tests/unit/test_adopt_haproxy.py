"""What hand-written HAProxy configurations serve."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from stackctl.adopt.comparison import STRANGER
from stackctl.adopt.haproxy.collecting import limited
from stackctl.adopt.haproxy.conditions import MOST, no_file, read_acls, read_condition
from stackctl.adopt.haproxy.probing import probes_of
from stackctl.adopt.haproxy.reading import OldProxy, certificate_paths, read_proposal
from stackctl.adopt.haproxy.sections import read_sections
from stackctl.adopt.haproxy.sites import OldCertificate
from stackctl.adopt.haproxy.words import read_lines
from stackctl.adopt.kept_files import OldFiles
from stackctl.adopt.proposal import Handling, Proposal
from stackctl.certs.lineage import Certificate
from stackctl.errors import InputError
from stackctl.stackfile.services import render_entry

CHAT = """\
#---------------------------------------------------------------------
# Globale Einstellungen, für alle: 전역 설정
global
    log         127.0.0.1 local2
    chroot      /var/lib/haproxy
    pidfile     /var/run/haproxy.pid
    maxconn     4000
    user        haproxy
    daemon
\t#dh-param
    tune.ssl.default-dh-param 2048
defaults
    mode                    http
    log                     global
    option                  httplog
    option                  dontlognull
    option http-server-close
    option forwardfor       #except 127.0.0.0/8
    option                  redispatch
    retries                 3
    timeout http-request    300s
    maxconn                 3000

frontend web
\t#without TLS
    bind 0.0.0.0:80
\tbind 0.0.0.0:443 ssl crt /path/to/ssl/folder/

    acl letsencrypt-acl path_beg /.well-known/acme-challenge/
    use_backend letsencrypt-backend if letsencrypt-acl

    acl chat-acl hdr(host) -i Subdomain.domain.tld
    acl chat-acl path_beg /owui/
    use_backend owui_chat if chat-acl

backend letsencrypt-backend
    server letsencrypt 127.0.0.1:8688

backend owui_chat
    option forwardfor
    http-request add-header X-CLIENT-IP %[src]
\thttp-request set-header X-Forwarded-Proto https if { ssl_fc }
    server chat <ip>:3000
"""
OLD = r"""global
   tune.ssl.default-dh-param 2048
defaults
   mode http
   timeout server          1m
frontend www-http
   bind *:80
   reqadd X-Forwarded-Proto:\ http
   default_backend www-backend
frontend www-https
   bind *:443 ssl crt /etc/haproxy/certs/example.com.pem
   reqadd X-Forwarded-Proto:\ https
   acl letsencrypt-acl path_beg /.well-known/acme-challenge/
   use_backend letsencrypt-backend if letsencrypt-acl
   default_backend www-backend
backend www-backend
   redirect scheme https if !{ ssl_fc }
   server www-1 10.0.0.11:80 check weight 3
   server www-2 10.0.0.12:80 check backup
backend letsencrypt-backend
   server letsencrypt 127.0.0.1:54321
"""
FRONT = "defaults\n mode http\nfrontend f\n bind :80\n"
BACK = "\nbackend b\n server s app:80\n"


SERVICES = {"app": "app", "chat": "chat", "172.18.0.4": "app"}


def certificate(*names: str, lineage: str | None = None, near: str | None = None) -> OldCertificate:
    begins, ends = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
    path = f"/certs/{names[0]}.pem"
    return OldCertificate(path, path, Certificate(names[0], names, "CA", begins, ends), lineage, near)


def reading(text: str, *certificates: OldCertificate, files: Mapping[str, str] | None = None) -> Proposal:
    sections = read_sections(tuple(read_lines(text, "haproxy.cfg", {"HOST": "a.example.com"})))
    old = OldFiles(stays=lambda path: not path.startswith("/etc/haproxy/"))
    return read_proposal(OldProxy(sections, (files or {}).get, SERVICES, old), certificates)[0]


def of(proposal: Proposal, handling: Handling) -> list[str]:
    return [one.line for one in proposal.remarks if one.handling is handling]


def sites(proposal: Proposal) -> list[str]:
    """Each site in one line: its names, its server, and its other keys."""
    found = []
    for site in proposal.sites:
        keys = "".join(render_entry(key, value) for key, value in site.tuning.items())
        server = site.server.endpoint if site.server else "-"
        found.append(" ".join([",".join(site.domains), "->", str(server), *keys.split("\n")]).strip())
    return found


def words(line: str) -> list[tuple[str, ...]]:
    return [one.words for one in read_lines(line, "x.cfg", {"NAME": "a b"})]


def test_the_first_document_is_a_site_with_its_own_lines() -> None:
    text = CHAT.replace("<ip>", "chat")
    found = reading(text, certificate("subdomain.domain.tld", lineage="subdomain.domain.tld"))
    assert sites(found) == ["subdomain.domain.tld -> chat:3000"]
    assert found.sites[0].lineage == "subdomain.domain.tld"
    assert {name: content.splitlines()[1:] for name, content in found.files.items()} == {
        "frontend.cfg": ["    timeout http-request 300s", "    maxconn 3000"],
        "subdomain.domain.tld.cfg": ["    retries 3", "    http-request add-header X-CLIENT-IP %[src]"],
    }
    assert of(found, Handling.UNSUPPORTED) == []
    changed = of(found, Handling.CHANGED)
    assert "haproxy.cfg:34: http://subdomain.domain.tld is now redirected to HTTPS" in changed
    assert "haproxy.cfg:24: requests for other names, which went to owui_chat, are refused" in changed


def test_the_path_of_the_first_document_is_a_route_of_the_other_names() -> None:
    found = reading(CHAT.replace("<ip>", "chat"), certificate("subdomain.domain.tld"), certificate("domain.tld"))
    assert sites(found)[1] == 'domain.tld -> - routes:   - {path: "/owui", service: "chat", port: 3000}'
    assert any("the path /owui without a slash at its end" in one for one in of(found, Handling.CHANGED))


def test_a_placeholder_that_is_no_address_is_named() -> None:
    found = reading(CHAT)
    assert found.sites == ()
    assert of(found, Handling.UNSUPPORTED)[0].startswith("haproxy.cfg:43: 'server chat <ip>:3000': ")


def test_the_second_document_balances_over_the_names_of_its_certificate() -> None:
    found = reading(OLD, certificate("example.com"))
    upstreams = '{address: "10.0.0.11:80", weight: 3}   - {address: "10.0.0.12:80", backup: true}'
    assert sites(found) == [f"example.com -> - upstreams:   - {upstreams}"]
    assert found.tuning == {"read-timeout": "1m", "send-timeout": "1m"}
    assert found.files["example.com.cfg"].splitlines()[1:] == ["    default-server check"]
    assert found.sites[0].imported == "/certs/example.com.pem"
    assert of(found, Handling.UNSUPPORTED) == []
    redirected = "example.com: HTTP is redirected to HTTPS with 301, 308, by method, not with 302"
    assert f"haproxy.cfg:15: {redirected}" in of(found, Handling.CHANGED)
    assert {one.partition(": ")[0] for one in of(found, Handling.REPLACED)} == {
        f"haproxy.cfg:{line}" for line in (8, 12, 14, 17)
    }


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (r"reqadd X:\ y # why", [("reqadd", "X: y")]),
        (r"a 'b # $NAME' c", [("a", "b # $NAME", "c")]),
        (r'a "x $NAME ${NAME} ${NONE} ${NONE-d}" $NAME', [("a", "x a b a b  d", "$NAME")]),
        (r"a x#y", [("a", "x")]),
        (r"a \# \x41 \. \\", [("a", "#", "A", r"\.", "\\")]),
        ("a ''", [("a", "")]),
        ("a b \\\nc", [("a", "b", "\\"), ("c",)]),
        ("\ta\r\n\n # only\n", [("a",)]),
    ],
)
def test_words_are_haproxys(line: str, expected: list[tuple[str, ...]]) -> None:
    assert words(line) == expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("if { hdr(host) a.b } { path_beg /x }", [["host a.b", "prefix /x"]]),
        ("if { hdr(host) a.b } or { hdr(host) c.d e.f }", [["host a.b"], ["host c.d e.f"]]),
        ("if two", [["host a.b"], ["prefix /x"]]),
        ("if !two { ssl_fc }", [["!host a.b", "!prefix /x", "tls "]]),
        ("unless two", [["!host a.b", "!prefix /x"]]),
        ("unless { ssl_fc } { path /x }", [["!tls "], ["!path /x"]]),
        ("if ! { ssl_fc } || TRUE", [["!tls "], ["true "]]),
        ("if { req.hdr(host),lower,field(1,:) -m str A.b }", [["host a.b"]]),
        ("if or { ssl_fc } or", [["tls "]]),
        ("if !! two { ssl_fc }", [["host a.b", "tls "], ["prefix /x", "tls "]]),
        ("if { req.ssl_sni -i a.b }", [["host a.b"]]),
        ("if { hdr_dom(host) a.b }", [["host a.b"]]),
        ("if { hdr_len(host) 3 }", [["other 3"]]),
        ("if { method POST } METH_GET", [["method POST", "method GET HEAD"]]),
        ("if { req.cook(a) x } { hdr(x-v) 2 } { url_param(q) 1 }", [["cookie x", "header 2", "query 1"]]),
        ("if { path_end .php } { path_reg ^/x }", [["suffix .php", "regex ^/x"]]),
        ("if { hdr(host) -f /etc/hosts.lst }", [["other "]]),
        ("if { path_beg -m reg ^/x }", [["other ^/x"]]),
    ],
)
def test_conditions_are_alternatives_of_tests(condition: str, expected: list[list[str]]) -> None:
    acls = read_acls(read_lines("acl two hdr(host) a.b\nacl two path_beg /x", "x.cfg", {}))
    found = read_condition(condition.split(), acls, "x.cfg:1")
    shown = [[f"{'!' * one.negated}{one.kind} {' '.join(one.values)}" for one in tests] for tests in found]
    assert shown == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bind :80", "haproxy.cfg:1: 'bind' is in no section"),
        ("frontend", "haproxy.cfg:1: 'frontend' has no name"),
        ("backend b\nlisten b\n", "haproxy.cfg:2: listen b is there twice: see haproxy.cfg:1"),
        ("defaults from x", "haproxy.cfg:1: there is no 'defaults x'"),
        ("global\n.if defined(X)\n", "haproxy.cfg:2: '.if' makes lines depend on a condition"),
        ('global\n log "x', "haproxy.cfg:2: a quote is not closed"),
        ("global\n log 'x", "haproxy.cfg:2: a quote is not closed"),
        ('global\n log "$ x"', "haproxy.cfg:2: '$' is not followed by the name of a variable"),
        (FRONT + " use_backend b if nothing" + BACK, "haproxy.cfg:5: there is no ACL 'nothing'"),
        (FRONT + " use_backend b if { path /x" + BACK, "haproxy.cfg:5: '{' is not closed"),
        (FRONT + " use_backend b if" + BACK, "haproxy.cfg:5: 'if' is no condition"),
        (FRONT + " use_backend b if or" + BACK, "haproxy.cfg:5: 'if or' is no condition"),
        (FRONT + " use_backend b if !" + BACK, "haproxy.cfg:5: there is no ACL ''"),
        (FRONT + " use_backend c", "haproxy.cfg:5: there is no back end 'c'"),
        (FRONT + " default_backend", "haproxy.cfg:5: there is no back end ''"),
        (FRONT + " acl x", "haproxy.cfg:5: 'acl' has no test"),
        (FRONT + " use_backend %[hdr(host),map(/m)]", "haproxy.cfg:5: the map /m cannot be read"),
        (FRONT + " default_backend b\nbackend b\n server s", "haproxy.cfg:7: 'server' has no address"),
        (
            FRONT + " acl x path /1\n acl x path /2\n use_backend b if" + " x" * 30 + BACK,
            f"haproxy.cfg:7: the condition has more than {MOST} alternatives",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        reading(text)
    assert str(error.value) == message


WEB = "defaults\n mode http\nfrontend f\n bind :80\n bind :443 ssl crt /certs\n"
SERVED = "\nbackend b\n server s app:80\nbackend c\n server s 10.0.0.9:81\n"
HERE = certificate("a.example.com", "b.example.com")


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("use_backend b if { hdr(host) -i A.example.com }", ["a.example.com -> app:80"]),
        ("use_backend b if { hdr_beg(host) a. }", ["a.example.com -> app:80"]),
        ("use_backend b if { hdr_end(host) .example.com }", ["a.example.com,b.example.com -> app:80"]),
        ("use_backend b if { hdr_dom(host) example.com }", ["a.example.com,b.example.com -> app:80"]),
        ("use_backend b if !{ hdr(host) a.example.com }", ["b.example.com -> app:80"]),
        ("use_backend b if { req.hdr(host) -f /hosts }", ["a.example.com -> app:80"]),
        ("use_backend b if { ssl_fc_sni a.example.com }", ["a.example.com -> app:80"]),
        ("use_backend b if { ssl_fc }", ["a.example.com,b.example.com -> app:80"]),
        ("use_backend b if !{ ssl_fc }\n default_backend c", ["a.example.com,b.example.com -> 10.0.0.9:81"]),
        ("default_backend c", ["a.example.com,b.example.com -> 10.0.0.9:81"]),
        (
            "use_backend %[req.hdr(host),lower,map(/m,c)]",
            ["a.example.com -> app:80", "b.example.com -> 10.0.0.9:81"],
        ),
        (
            "use_backend c if { path_beg /api }\n default_backend b",
            ['a.example.com,b.example.com -> app:80 routes:   - {path: "/api", upstream: "10.0.0.9:81"}'],
        ),
        (
            "use_backend c if { path /x /y }\n default_backend b",
            [('a.example.com,b.example.com -> app:80 routes:   - {path: ["/x", "/y"], exact: true, '
              'upstream: "10.0.0.9:81"}')],
        ),
        (
            "use_backend c if { path_beg /a } { method POST } !{ src 10.0.0.0/8 }\n default_backend b",
            [('a.example.com,b.example.com -> app:80 routes:   - {match: {path: "/a", method: "POST", '
              'not: {source: "10.0.0.0/8"}}, upstream: "10.0.0.9:81"}')],
        ),
        (
            "use_backend c if { path_beg /a }\n use_backend b if { hdr(x-v) 2 }\n default_backend b",
            [('a.example.com,b.example.com -> app:80 routes:   - {match: {path: "~^/a"}, upstream: "10.0.0.9:81"}'
              '   - {match: {header: {x-v: "2"}}, service: "app", port: 80}')],
        ),
        (
            "use_backend c if { path_beg /a }\n use_backend b if { path_beg /a/b }\n default_backend b",
            ['a.example.com,b.example.com -> app:80 routes:   - {path: "/a", upstream: "10.0.0.9:81"}'],
        ),
        (
            "use_backend c if { path /x /y }\n use_backend b if { path /y /z }\n default_backend c",
            [('a.example.com,b.example.com -> 10.0.0.9:81 routes:   - {path: ["/x", "/y"], exact: true, '
              'upstream: "10.0.0.9:81"}   - {path: "/z", exact: true, service: "app", port: 80}')],
        ),
        (
            "use_backend c if { path_beg /x/ }\n use_backend b if { path_beg /x/y/ /z/ }\n default_backend b",
            [('a.example.com,b.example.com -> app:80 routes:   - {path: "/x", upstream: "10.0.0.9:81"}'
              '   - {path: "/z", service: "app", port: 80}')],
        ),
        ("use_backend b if { path_beg / }\n default_backend c", ["a.example.com,b.example.com -> app:80"]),
        ("use_backend b if FALSE\n default_backend c", ["a.example.com,b.example.com -> 10.0.0.9:81"]),
    ],
)  # fmt: skip
def test_a_name_gets_the_routes_of_the_rules_that_it_passes(rules: str, expected: list[str]) -> None:
    files = {"/hosts": "# ours\na.example.com\n", "/m": "# names\nA.example.com b\n"}
    found = reading(f"{WEB} {rules}{SERVED}", HERE, files=files)
    assert sites(found) == expected
    assert of(found, Handling.UNSUPPORTED) == []


def test_a_rule_that_no_route_says_is_kept_where_no_earlier_one_decides() -> None:
    rules = (
        " acl odd hdr_len(host) 13\n use_backend b if { path_beg /first }\n"
        " use_backend c if odd or { hdr_cnt(x) 2 }\n use_backend b if { path_beg /last }\n default_backend b"
    )
    found = reading(WEB + rules + SERVED, certificate("a.example.com"))
    after = "{ var(txn.route) -m str a.example.com a.example.com:3 }"
    assert found.files["frontend.cfg"].splitlines()[1:] == [
        "    acl odd hdr_len(host) 13",
        f"    use_backend c if {after} odd or {after} {{ hdr_cnt(x) 2 }}",
    ]
    assert "backend c\n    mode http\n    server s 10.0.0.9:81" in found.files["sections.cfg"]


@pytest.mark.parametrize(
    ("lines", "keys"),
    [
        (" balance leastconn", ['balance: "least-conn"']),
        (" balance source", ['balance: "hash"', 'hash: "source"']),
        (" balance url_param id", ['balance: "hash"', 'hash: "query:id"']),
        (" balance hdr(X-User)", ['balance: "hash"', 'hash: "header:x-user"']),
        (" cookie SRV insert indirect nocache", ['sticky: {cookie: "SRV"}']),
        (" timeout connect 5000\n timeout server 90s",
         ['read-timeout: "90s"', 'send-timeout: "90s"']),
        (" timeout connect 1500", ['connect-timeout: "1500ms"']),
        (" http-response set-header X-A b%%\n http-request del-header X-B\n http-response del-header x-powered-by",
         ['headers: {set: {X-A: "b%"}, remove: ["x-powered-by"], request: {remove: ["X-B"]}}']),
        (" http-response set-header Strict-Transport-Security 'max-age=31536000; includeSubDomains; preload'",
         ['headers: {hsts: {max-age: "31536000s", subdomains: true, preload: true}}']),
        (" compression algo gzip deflate\n compression type text/html", ["compress: true"]),
        (" option httpchk GET /up\n http-check expect status 200\n default-server check inter 5s fall 2",
         ['health: {path: "/up", status: "200", interval: "5s", timeout: "5s", fall: 2}']),
    ],
)  # fmt: skip
def test_what_a_back_end_does_is_keys(lines: str, keys: list[str]) -> None:
    text = f"{WEB} default_backend b\nbackend b\n{lines}\n server s app:80\n server t 10.0.0.9:80\n"
    found = reading(text, certificate("a.example.com"))
    (site,) = found.sites
    shown = {
        key: value for key, value in {**found.tuning, **site.tuning}.items() if key not in {"upstreams", "default"}
    }
    assert [render_entry(key, value).strip() for key, value in shown.items()] == keys
    assert of(found, Handling.UNSUPPORTED) == []
    assert found.files == {}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("weight 3 maxconn 50 backup",
         'upstreams:   - {address: "10.0.0.9:80", weight: 3, backup: true, max-connections: 50}'),
        ("disabled", 'upstreams:   - {address: "10.0.0.9:80", drain: true}'),
        ("ssl verify none", 'protocol: "https" upstream-tls: {verify: false}'),
        ("ssl verify required sni str(x.example.com)", 'protocol: "https" upstream-tls: {name: "x.example.com"}'),
        ("proto h2", 'protocol: "h2c"'),
    ],
)  # fmt: skip
def test_options_of_servers_are_keys(options: str, expected: str) -> None:
    found = reading(f"{WEB} default_backend b\nbackend b\n server s 10.0.0.9:80 {options}\n", HERE)
    assert sites(found)[0].endswith(f" {expected}")
    assert of(found, Handling.UNSUPPORTED) == []


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        (r"reqadd X-A:\ b\ 50%", "http-request add-header X-A 'b 50%%'"),
        (
            r"rspadd Strict-Transport-Security:\ max-age=1",
            "http-response add-header Strict-Transport-Security max-age=1",
        ),
        (r"reqadd X-A:\ b if { path '/a b' }", "http-request add-header X-A b if { path '/a b' }"),
        ("reqidel ^X-Evil if { path /x }", "http-request del-header X-Evil if { path /x }"),
        ("option forwardfor header X-Client", "http-request set-header X-Client %[src]"),
        ("http-response add-header X-A 'a # b'  # why", "http-response add-header X-A 'a # b'"),
        ("http-response set-header X-A %[src]", "http-response set-header X-A %[src]"),
        ("http-response set-header Server x", "http-response set-header Server x"),
        ("timeout queue 1m", "timeout queue 1m"),
        ("option httpchk OPTIONS /", "option httpchk OPTIONS /"),
        ("errorfile 503 /etc/haproxy/errors/503.http", "errorfile 503 /etc/haproxy/custom/503.http"),
        ("stick on src", "stick on src"),
        ("frobnicate 1", "frobnicate 1"),
    ],
)
def test_lines_of_a_back_end_without_a_key_are_kept(line: str, kept: str) -> None:
    found = reading(f"{WEB} default_backend b\nbackend b\n {line}\n server s app:80 check\n", HERE)
    assert found.files["a.example.com.cfg"].splitlines()[1:] == ["    default-server check", f"    {kept}"]
    assert of(found, Handling.UNSUPPORTED) == []


def test_files_that_kept_lines_name_are_copied() -> None:
    lines = " acl bad src -f /etc/haproxy/bad.lst\n http-request deny if bad\n errorfile 503 /srv/503.http\n"
    found = reading(f"{WEB}{lines} default_backend b{SERVED}", HERE)
    assert found.copies == {"bad.lst": "/etc/haproxy/bad.lst"}
    assert found.files["frontend.cfg"].splitlines()[1:] == [
        "    acl bad src -f /etc/haproxy/custom/bad.lst",
        "    http-request deny if bad",
        "    errorfile 503 /srv/503.http",
    ]


def test_lines_of_two_frontends_are_for_the_requests_of_each() -> None:
    text = (
        "defaults\n mode http\nfrontend plain\n bind :80\n acl x path /p\n http-request deny if x\n default_backend b\n"
        "frontend tls\n bind :443 ssl crt /c\n acl x path /t\n http-request deny unless x\n"
        " http-response add-header A b\n default_backend b"
    )
    found = reading(text + SERVED, HERE)
    assert found.files["frontend.cfg"].splitlines()[1:] == [
        "    acl plain.x path /p",
        "    http-request deny if !{ ssl_fc } plain.x",
        "    acl tls.x path /t",
        "    http-request deny unless tls.x or !{ ssl_fc }",
        "    http-response add-header A b if { ssl_fc }",
    ]


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("http-response set-header A 'what if b'", "http-response set-header A 'what if b' if { T }"),
        ('http-request deny if { hdr(x) "a or b" } || y', 'http-request deny if { T } { hdr(x) "a or b" } or { T } y'),
        (r"http-request deny unless { path /a\ if\ b }", r"http-request deny unless { path /a\ if\ b } or !{ T }"),
    ],
)
def test_a_rule_is_limited_without_a_change_in_its_texts(text: str, limit: str) -> None:
    assert limited(text, "{ T }", "!{ T }") == limit


def test_lines_of_one_of_two_back_ends_are_for_its_route() -> None:
    text = f"{WEB} use_backend c if {{ path_beg /c }}\n default_backend b\nbackend b\n server s app:80\n"
    text += "backend c\n http-request set-path /x\n retries 5\n compression offload\n server s 10.0.0.9:81\n"
    found = reading(text, certificate("a.example.com"))
    assert found.files["a.example.com.cfg"].splitlines()[1:] == [
        "    http-request set-path /x if { var(txn.route) -m str a.example.com:2 }"
    ]
    assert any("'retries 5': it is left out: it is of c alone" in one for one in of(found, Handling.CHANGED))
    (lost,) = of(found, Handling.UNSUPPORTED)
    assert lost.startswith("haproxy.cfg:10: 'compression offload': it is left out")


def test_acls_of_two_back_ends_stay_apart() -> None:
    text = f"{WEB} use_backend c if {{ path_beg /c }}\n default_backend b\nbackend b\n acl x path /1\n"
    text += " http-request deny if x\n server s app:80\nbackend c\n acl x path /2\n http-request deny if !x\n"
    found = reading(f"{text} server s 10.0.0.9:81\n", certificate("a.example.com"))
    assert found.files["a.example.com.cfg"].splitlines()[1:] == [
        "    acl b.x path /1",
        "    http-request deny if { var(txn.route) -m str a.example.com } b.x",
        "    acl c.x path /2",
        "    http-request deny if { var(txn.route) -m str a.example.com:2 } !c.x",
    ]


def test_a_listen_has_each_line_once() -> None:
    text = "listen all\n mode http\n bind :80\n http-request add-header X-A %[src]\n balance leastconn\n"
    text += " capture request header Host len 64\n option httpchk GET /up\n server s app:80 check\n"
    found = reading(text, HERE)
    assert found.files == {"frontend.cfg": found.files["frontend.cfg"]}
    assert found.files["frontend.cfg"].splitlines()[1:] == ["    http-request add-header X-A %[src]"]
    assert sites(found)[0].startswith('a.example.com,b.example.com -> app:80 balance: "least-conn" health: ')


def test_what_a_frontend_says_of_all_is_keys_of_the_whole_stack() -> None:
    lines = " acl bad src 192.0.2.1 198.51.100.0/24\n http-request deny if bad\n http-response set-header X-A b\n"
    found = reading(f"{WEB}{lines} default_backend b{SERVED}", HERE)
    assert found.tuning["headers"] == {"set": {"X-A": "b"}}
    assert found.tuning["block"] == {"addresses": ["192.0.2.1/32", "198.51.100.0/24"]}
    assert found.files == {}


def test_what_a_frontend_says_of_all_stays_a_line_where_a_back_end_is_kept() -> None:
    lines = " http-response set-header X-A b\n use_backend c if { hdr_cnt(x) 2 }\n default_backend b"
    found = reading(WEB + lines + SERVED, HERE)
    assert "headers" not in found.tuning
    assert "    http-response set-header X-A b" in found.files["frontend.cfg"].splitlines()


def test_a_redirect_of_a_name_is_a_redirect() -> None:
    lines = " redirect prefix https://a.example.com code 301 if { hdr(host) b.example.com }\n default_backend b"
    found = reading(WEB + lines + SERVED, HERE)
    (one,) = found.redirects
    assert (one.names, one.to, one.status, one.keep_path) == (("b.example.com",), "https://a.example.com", 301, True)
    assert sites(found) == ["a.example.com -> app:80"]


def test_a_section_on_another_port_is_kept_whole() -> None:
    text = "listen stats\n bind :8404\n stats enable\n stats uri /\n"
    text += "listen db\n bind :5432\n mode tcp\n server d db:5432 check\n"
    found = reading(f"{WEB} default_backend b{SERVED}{text}", HERE)
    sections = found.files["sections.cfg"]
    assert "listen stats\n    mode http\n    bind :8404\n    stats enable\n    stats uri /\n" in sections
    resolved = "resolvers docker resolve-prefer ipv4 init-addr last,libc,none"
    assert f"listen db\n    mode tcp\n    bind :5432\n    server d db:5432 check {resolved}\n" in sections
    assert of(found, Handling.UNSUPPORTED) == []


def test_what_global_and_other_sections_say_is_kept() -> None:
    text = "global\n maxconn 9\n lua-load /etc/haproxy/x.lua\n stats socket /s\n"
    text += "userlist u\n user a password b\nresolvers r\n"
    found = reading(f"{text}{WEB} http-request auth if !{{ http_auth(u) }}\n default_backend b{SERVED}", HERE)
    sections = found.files["sections.cfg"]
    assert "global\n    lua-load /etc/haproxy/custom/x.lua\n" in sections
    assert "userlist u\n    user a password b\n" in sections
    assert "maxconn" not in sections
    assert found.copies == {"x.lua": "/etc/haproxy/x.lua"}


@pytest.mark.parametrize(
    ("lines", "lost"),
    [
        (" reqrep ^A B\n default_backend b", "'reqrep ^A B': HAProxy has no such line any more"),
        (" use_backend %[path,map(/m)]", "'use_backend %[path,map(/m)]': x-stackctl has a name or a path for each"),
        (" bind :443 ssl crt /c accept-proxy\n default_backend b", "a load balancer in front is the key 'behind'"),
        (" bind :443 ssl crt /c verify required ca-file /a\n default_backend b", "the key 'client-certificate'"),
        (" bind :8080\n default_backend b", "another port than 80 and 443"),
        (" default_backend d\nbackend d\n balance rdp-cookie\n server s app:80", "'balance rdp-cookie'"),
        (" default_backend d\nbackend d\n server s app", "write the port of the server"),
        (" default_backend d\nbackend d\n server s 127.0.0.1:80", "is the container itself"),
        (" default_backend d\nbackend d\n server s app:80 send-proxy", "no key for 'send-proxy'"),
        (" default_backend d\nbackend d\n server s app:80\n server t 10.0.0.9:1 check", "'check' of one server"),
        (" default_backend d\nbackend d\n cookie A prefix\n server s app:80", "a cookie of its own"),
        (" default_backend d\nbackend d\n mode http", "the back end d has no server that can be used"),
        (" use_backend b if { hdr(host) not_a_name }\n default_backend b", "'not_a_name' is no name of a site"),
    ],
)  # fmt: skip
def test_what_has_no_equivalent_is_named_with_its_line(lines: str, lost: str) -> None:
    found = of(reading(WEB + lines + SERVED, HERE), Handling.UNSUPPORTED)
    assert any(lost in one for one in found), found
    assert all(one.startswith("haproxy.cfg:") for one in found)


def test_without_any_name_there_is_no_site() -> None:
    found = reading(f"{WEB} default_backend b{SERVED}", certificate("localhost"))
    assert found.sites == ()
    assert "no rule and no certificate says a name" in of(found, Handling.UNSUPPORTED)[0]


def test_the_web_in_mode_tcp_is_named() -> None:
    found = reading("frontend f\n bind :443\n mode tcp\n default_backend b" + SERVED, HERE)
    assert "'frontend f' passes on the connections of the web (mode tcp)" in of(found, Handling.UNSUPPORTED)[0]


def test_other_names_go_on_over_http_where_they_were_served() -> None:
    found = reading("defaults\n mode http\nfrontend f\n bind :80\n default_backend b" + SERVED, HERE)
    assert found.tuning == {"default": {"app": "a.example.com"}}


def test_the_files_of_certificates_are_found() -> None:
    text = "global\n crt-base /c\nfrontend f\n bind :443,:::443 ssl crt a.pem crt /d/ crt-list /l\n"
    text += " bind quic4@:443 ssl crt @s/x\n"
    found = certificate_paths(read_sections(tuple(read_lines(text, "haproxy.cfg", {}))))
    assert found == (("crt", "/c/a.pem"), ("crt", "/d/"), ("crt-list", "/l"), ("crt", "@s/x"))


def test_another_certificate_than_certbots_is_said() -> None:
    found = reading(f"{WEB} default_backend b{SERVED}", certificate("a.example.com", near="a.example.com"))
    assert found.sites[0].imported == "/certs/a.example.com.pem"
    assert any("is not the certificate of certbot's a.example.com" in one for one in of(found, Handling.CHANGED))


def test_both_proxies_are_asked_for_each_path_that_leads_somewhere() -> None:
    rules = """\
 acl v path_reg ^/v[0-9]+/
 use_backend c if { path_beg /api/ }
 use_backend c if v METH_GET
 use_backend c if { path /x } METH_POST
 use_backend c if { hdr(x-v) 2 }
 use_backend c if { path /exact }
 default_backend b"""
    sections = read_sections(tuple(read_lines(WEB + rules + SERVED, "haproxy.cfg", {})))
    found, fronts = read_proposal(OldProxy(sections, no_file, SERVICES, OldFiles()), [HERE])
    asked, skipped = probes_of(found.sites, fronts, [HERE])
    paths = {probe.path for probe in asked if probe.tls and probe.method == "GET"}
    assert {path for path in paths if "stackctl" not in path} == {"/", "/api/", "/v0/", "/exact"}
    assert {(probe.host, probe.path) for probe in asked if not probe.tls} == {
        ("a.example.com", "/"), ("b.example.com", "/"), (STRANGER, "/"),
    }  # fmt: skip
    assert skipped == (found.sites[0].at,)


def test_defaults_are_inherited_by_name_and_from_the_last() -> None:
    text = (
        "defaults t\n mode tcp\ndefaults h\n mode http\nfrontend a from t\n bind :1\n"
        'listen c\n bind :80\n server s "$HOST:80"\n'
    )
    found = reading(text, HERE)
    assert found.files["sections.cfg"].splitlines()[1:] == ["frontend a", "    mode tcp", "    bind :1"]
    assert sites(found) == ["a.example.com,b.example.com -> a.example.com:80"]
