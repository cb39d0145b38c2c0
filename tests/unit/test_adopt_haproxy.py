"""What hand-written HAProxy configurations serve."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from stackctl.adopt.haproxy.conditions import MOST, read_acls, read_condition
from stackctl.adopt.haproxy.reading import Reading, read_haproxy
from stackctl.adopt.haproxy.words import read_lines
from stackctl.adopt.proposal import Handling
from stackctl.errors import InputError

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


def reading(text: str, files: Mapping[str, str] | None = None) -> Reading:
    return read_haproxy(read_lines(text, "haproxy.cfg", {"HOST": "a.example.com"}), (files or {}).get)


def words(line: str) -> list[tuple[str, ...]]:
    return [one.words for one in read_lines(line, "x.cfg", {"NAME": "a b"})]


def test_acls_of_one_name_are_alternatives() -> None:
    found = reading(CHAT)
    assert [one.shown for one in found.routes] == [
        "subdomain.domain.tld -> <ip>:3000 (haproxy.cfg:34)",
        "any name/owui/ -> <ip>:3000 (haproxy.cfg:34)",
    ]
    assert found.certificates == ("/path/to/ssl/folder/",)
    lost = [one.line for one in found.remarks if one.handling is Handling.UNSUPPORTED]
    assert lost == [
        "haproxy.cfg:20: 'retries                 3'",
        "haproxy.cfg:21: 'timeout http-request    300s'",
        "haproxy.cfg:22: 'maxconn                 3000'",
        "haproxy.cfg:41: 'http-request add-header X-CLIENT-IP %[src]'",
    ]


def test_directives_of_old_versions_are_read() -> None:
    found = reading(OLD)
    assert [one.shown for one in found.routes] == [
        "any name -> 10.0.0.11:80 (check weight 3), 10.0.0.12:80 (check backup) (haproxy.cfg:9)",
        "any name -> 10.0.0.11:80 (check weight 3), 10.0.0.12:80 (check backup) (haproxy.cfg:15)",
    ]
    assert [one.line for one in found.remarks if one.handling is Handling.UNSUPPORTED] == [
        "haproxy.cfg:5: 'timeout server          1m'"
    ]
    assert [one.at for one in found.remarks if one.handling is Handling.REPLACED] == [
        f"haproxy.cfg:{line}" for line in (8, 12, 14, 17)
    ]


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
        ("if { hdr_dom(host) a.b }", [["other a.b"]]),
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


@pytest.mark.parametrize(
    ("lines", "lost"),
    [
        (" use_backend b if { hdr_dom(host) x.org }", "requests with hdr_dom(host) x.org go to b"),
        (" use_backend b if !{ hdr(host) x.org }", "requests with !hdr(host) x.org go to b"),
        (" frobnicate 1 # why", "'frobnicate 1 # why'"),
        (" http-response set-header A b", "'http-response set-header A b'"),
        (" redirect scheme https if { path /x }", "'redirect scheme https if { path /x }'"),
        (" reqadd", "'reqadd'"),
        (" http-request", "'http-request'"),
        (" http-request set-header", "'http-request set-header'"),
        (" balance source", "'balance source'"),
        (" rspadd Strict:\\ x", "'rspadd Strict:\\ x'"),
        (" use_backend %[path,map(/m)]", "'use_backend %[path,map(/m)]'"),
    ],
)
def test_what_no_site_has_is_listed(lines: str, lost: str) -> None:
    found = [one for one in reading(FRONT + lines + BACK).remarks if one.handling is Handling.UNSUPPORTED]
    assert [one.text for one in found] == [lost]
    assert found[0].at == "haproxy.cfg:5"


def test_lines_of_all_sections_are_looked_at() -> None:
    text = "global\n lua-load /x.lua\n nbthread 2\ndefaults\n option httpchk GET /up\npeers p\n peer a :1\n"
    assert [one.line for one in reading(text).remarks] == [
        "haproxy.cfg:2: 'lua-load /x.lua'",
        "haproxy.cfg:5: 'option httpchk GET /up'",
        "haproxy.cfg:6: the section 'peers p'",
    ]


def test_connections_that_are_passed_on_are_listed() -> None:
    found = reading("listen db\n bind :5432\n mode tcp\n server s db:5432\n")
    assert found.routes == ()
    assert [one.line for one in found.remarks] == ["haproxy.cfg:1: 'listen db' passes on connections (mode tcp)"]


def test_a_map_of_names_is_read() -> None:
    line = " use_backend %[req.hdr(host),lower,map(/m,b)]"
    found = reading(FRONT + line + BACK, {"/m": "# names\nA.example.com b\n"})
    assert [one.shown for one in found.routes] == [
        "a.example.com -> app:80 (/m:2)",
        "any name -> app:80 (haproxy.cfg:5)",
    ]


def test_defaults_are_inherited_by_name_and_from_the_last() -> None:
    text = (
        'defaults t\n mode tcp\ndefaults h\n mode http\nfrontend a from t\n bind :1\nlisten c\n server s "$HOST:80"\n'
    )
    found = reading(text)
    assert [one.at for one in found.remarks] == ["haproxy.cfg:5"]
    assert [one.shown for one in found.routes] == ["any name -> a.example.com:80 (haproxy.cfg:7)"]
