"""Rules of access: read with their places, refused where they would open everything, and decided by one function."""

from __future__ import annotations

import subprocess
from ipaddress import ip_address, ip_network

import pytest

from stackctl.errors import InputError, StackfileError
from stackctl.model import users
from stackctl.model.access import Access, Need, decision
from stackctl.model.apr1 import hashed
from stackctl.model.matching import PathMatch
from stackctl.model.routing import Site
from stackctl.stackfile.document import Document
from stackctl.stackfile.read import read_stack
from tests.unit.build import project


def site(keys: str = "", top: str = "", route: str = "") -> Site:
    text = f"""\
x-stackctl: {{{top}}}
services:
  web:
    x-stackctl:
      domains: [a.example.com]
      port: 80
      {keys}
      routes:
        - path: /r
          port: 81
          {route}
"""
    return read_stack(Document.parse(text, "f.yml"), project()).sites[0]


def test_a_key_of_a_route_replaces_that_of_the_site() -> None:
    found = site(
        "access: {allow: [192.0.2.0/24], users: a.users, skip: [/x/]}",
        top="access: {deny: [192.0.2.9]}",
        route="access: {allow: [10.0.0.0/8]}",
    )
    around, own = (one.access for one in found.tunings)
    assert around.allow == (ip_network("192.0.2.0/24"),)
    assert (around.deny, around.skip) == ((ip_network("192.0.2.9"),), (PathMatch("/x"),))
    assert (own.allow, own.users, own.skip) == ((ip_network("10.0.0.0/8"),), around.users, around.skip)
    assert (around.where("allow"), own.where("allow"), own.where("users")) == ("f.yml:7", "f.yml:11", "f.yml:7")


def test_none_opens_a_route() -> None:
    assert [bool(one.access) for one in site("access: {allow: [192.0.2.1]}", route="access: none").tunings] == [
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("access: {}", "no rule"),
        ("access: {skip: [/x]}", "no rule"),
        ("access: {allow: []}", "an empty list"),
        ("access: {allow: [], users: a.users, satisfy: any}", "an empty list"),
        ("access: {users: a.users, satisfy: any}", "needs two of"),
        ("access: {allow: [192.0.2.1], satisfy: any}", "needs two of"),
        ("access: {allow: [192.0.2.1], skip: [/]}", "would open all"),
        ("access: {allow: [192.0.2.1/24]}", "is the address of a host"),
        ("access: {allow: all}", "expected a list"),
        ("access: {users: ../a}", "not below"),
        ("access: {users: /etc/passwd}", "not below"),
        ("access: {users: data/certs/x}", "stackctl's own"),
        ("access: {users: a, satisfy: maybe}", "expected all or any"),
        ("access: {user: a}", "has no key 'user'"),
        ("access: {forward-auth: {url: authelia}}", "not the URL"),
        ("access: {forward-auth: {url: 'http://a:99999'}}", "not a URL"),
        ("access: {forward-auth: {url: 'https://a:0/x'}}", "no port that can be asked"),
        ("access: {forward-auth: {url: 'http://a:'}}", "no port that can be asked"),
        ("access: {forward-auth: {url: 'http://u:p@a'}}", "not the URL"),
        ("access: {forward-auth: {url: 'http://a/x?y'}}", "not the URL"),
        ("access: {forward-auth: {url: 'http://a/$x'}}", "not a plain path"),
        ("access: {forward-auth: {url: 'http://a/x', preset: authelia}}", "knows the path"),
        ("access: {forward-auth: {url: 'http://a', preset: keycloak}}", "expected"),
        ("access: {forward-auth: {url: 'http://a', pass: [X-Real-IP]}}", "tells every app"),
        ("access: {forward-auth: {url: 'http://a', pass: [X-Forwarded-For]}}", "tells every app"),
        ("access: {forward-auth: {url: 'http://a', pass: ['a b']}}", "not the name of a header"),
    ],
)
def test_what_could_open_a_site_is_refused_with_its_line(keys: str, message: str) -> None:
    with pytest.raises(StackfileError, match=message.replace("(", r"\(")) as caught:
        site(keys)
    assert caught.value.where == "f.yml:7"


NET = (ip_network("192.0.2.0/24"),)
INSIDE, OUTSIDE = ip_address("192.0.2.1"), ip_address("2001:db8::1")


def test_the_decision_names_the_line_of_the_rule() -> None:
    rules = Access(allow=NET, deny=(ip_network("192.0.2.9"),), places=(("allow", "f:1"), ("deny", "f:2")))
    assert decision(rules, INSIDE, skipped=False).refused == ""
    assert decision(rules, OUTSIDE, skipped=False).where == "f:1"
    assert decision(rules, None, skipped=False).refused
    assert decision(rules, OUTSIDE, skipped=True).refused == ""
    denied = decision(rules, ip_address("192.0.2.9"), skipped=True)
    assert (denied.refused, denied.where) == ("192.0.2.9 is in 'deny'", "f:2")
    either = site("access: {allow: [192.0.2.0/24], users: a.users, satisfy: any}").tuning.access
    assert decision(either, INSIDE, skipped=False).needs == ()
    assert decision(either, OUTSIDE, skipped=False).needs == (Need.PASSWORD,)


# Users


def test_a_hash_is_that_of_htpasswd() -> None:
    for password in ("short", "a longer password of more than sixteen", "pässword"):
        made = subprocess.run(
            ["openssl", "passwd", "-apr1", "-salt", "aB3./xyz", password], capture_output=True, text=True, check=True
        )
        assert hashed(password, "aB3./xyz") == made.stdout.strip()


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("ann:$apr1$aB3./xyz$9O2B/pTFaBtSoUvh/lrXn/", ""),
        ("ann:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", ""),
        ("ann:$2y$05$" + "a" * 53, ""),
        ("ann:$2y$12$" + "a" * 53, "bcrypt of cost 12, which takes a worker 850 ms"),
        ("ann:$6$salt$" + "a" * 86, ""),
        ("ann:$6$rounds=500000$salt$" + "a" * 86, "500000 rounds"),
        ("ann:$y$j9T$salt$" + "a" * 43, "yescrypt"),
        ("ann:{PLAIN}secret", "not hashed"),
        ("ann:$argon2id$v=19$x", "no proxy knows"),
        ("ann:", "has no password"),
        ("ann", "no colon"),
        (":x", "no name"),
    ],
)
def test_a_hash_that_keeps_a_worker_busy_is_told(line: str, problem: str) -> None:
    (row,) = users.read_users(f"# the team\n\n{line}\n".encode())
    assert row.line == 3
    assert problem in row.problem
    assert bool(row.problem) is bool(problem)


def test_lines_of_others_and_comments_stay() -> None:
    before = b"# team\r\nann:x\nben:y:Ben of the office\n"
    after = users.with_user(before, "ben", "$apr1$z")
    assert after == b"# team\r\nann:x\nben:$apr1$z:Ben of the office\n"
    assert users.with_user(after, "eve", "h").splitlines()[-1] == b"eve:h"
    assert users.without_user(after, "ann") == b"# team\r\nben:$apr1$z:Ben of the office\n"
    windows = "ann:x\r\nben:y:a\u2028b\r\n".encode()
    assert users.with_user(windows, "ann", "z") == windows.replace(b"x", b"z")
    assert users.with_user(windows, "eve", "h") == windows + b"eve:h\r\n"
    assert users.with_user(b"ann:x", "eve", "h") == b"ann:x\neve:h\n"
    assert users.without_user(after, "eve") is None
    assert [row.problem for row in users.read_users(b"ann:a\nann:b\n")] == [
        "",
        "ann is there twice, and only the first counts",
    ]


@pytest.mark.parametrize("name", ["", "a:b", "a b", "-x", "a\nb", "x" * 65, "ä"])
def test_a_name_that_would_break_the_file_is_refused(name: str) -> None:
    with pytest.raises(InputError):
        users.user_name(name)


@pytest.mark.parametrize("password", ["short", "", "with\nnewline", "x" * 201])
def test_a_password_that_helps_nobody_is_refused(password: str) -> None:
    with pytest.raises(InputError):
        users.password(password)


# Client certificates


def test_client_certificates_are_read_with_their_files() -> None:
    found = site("client-certificate: {ca: c.pem, verify: optional, pass: {X-DN: subject}}").clients
    assert found is not None
    assert (found.ca.path, found.crl, found.required, found.headers) == ("c.pem", None, False, (("X-DN", "subject"),))
    assert (found.where, found.ca.where) == ("f.yml:7", "f.yml:7")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("client-certificate: {}", "missing required field"),
        ("client-certificate: {ca: /etc/x}", "not below"),
        ("client-certificate: {ca: x, verify: maybe}", "expected"),
        ("client-certificate: {ca: x, pass: {X-Real-IP: subject}}", "tells every app"),
        ("client-certificate: {ca: x, pass: {X-DN: name}}", "expected"),
    ],
)
def test_a_wrong_client_certificate_is_refused_with_its_line(keys: str, message: str) -> None:
    with pytest.raises(StackfileError, match=message) as caught:
        site(keys)
    assert caught.value.where == "f.yml:7"
