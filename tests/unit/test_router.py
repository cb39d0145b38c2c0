"""Which route answers a request, and the condition on which each earlier one fails."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from stackctl.errors import InputError
from stackctl.model.fields import Request
from stackctl.model.matching import Conditions, FieldMatch, Match, PathKind, PathMatch, Text
from stackctl.model.paths import normalized, sent
from stackctl.model.patterns import found, pattern
from stackctl.model.router import routed, without
from stackctl.model.routing import Answer, Route
from tests.unit.build import routed as site


def answer(text: str) -> Answer:
    return Answer(200, text)


def rule(text: str, of: Conditions, none: Conditions | None = None, priority: int | None = None) -> Route:
    return Route(Match(of, none), answer(text), priority=priority)


def cookies(text: str) -> Request:
    return Request("GET", "/", (("Cookie", text),))


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/", "/"),
        ("/a?b=/../c", "/a"),
        ("/a#b", "/a"),
        ("//a///b/", "/a/b/"),
        ("/a/./b/../c", "/a/c"),
        ("/a/..", "/"),
        ("/a/b/..", "/a/"),
        ("/a/.", "/a/"),
        ("/a%2Fb%2f%2e%2E/c", "/a/c"),
        ("/%3F%23%25%20", "/?#% "),
        ("/%c3%A9é", "/éé"),
        ("/a...", "/a..."),
        ("/...", "/..."),
        ("/%2541", "/%41"),
        ("/..", None),
        ("/a/../..", None),
        ("/%2e%2e/a", None),
        ("/%00", None),
        ("/%zz", None),
        ("/%4", None),
        ("/%", None),
    ],
)
def test_a_path_is_compared_as_the_proxy_decodes_it(target: str, path: str | None) -> None:
    assert normalized(target) == path


def test_bytes_that_are_no_text_are_kept() -> None:
    path = normalized("/%ff")
    assert path is not None
    assert path.encode("utf-8", "surrogateescape") == b"/\xff"
    assert sent(path) == "/%FF"


@pytest.mark.parametrize(
    ("prefix", "target", "seen"),
    [
        ("/s", "/s", "/"),
        ("/s", "/s?a=1", "/?a=1"),
        ("/s", "/s/a%2Fb//c?d", "/a%2Fb//c?d"),
        ("/s", "/s/", "/"),
        ("/s", "/s/./é", "/./é"),
        ("/s", "//s/a", None),
        ("/s", "/%73/a", None),
        ("/s", "/x/../s/a", None),
        ("/s", "/s/a/%2e./b", None),
        ("/s", "/s/a?b=/../", "/a?b=/../"),
        ("/é x", "/%C3%a9%20x/1", "/1"),
        ("/é x", "/é%20x/1", "/1"),
    ],
)
def test_a_prefix_is_taken_off_the_bytes_that_were_sent(prefix: str, target: str, seen: str | None) -> None:
    assert without(prefix, target) == seen


SHOP = site(
    "shop.example.com",
    Route(Match.of("/"), answer("all")),
    Route(Match.of("/api"), answer("api"), strip=True),
    Route(Match.of("/api/v2"), answer("v2")),
    Route(Match(Conditions((PathMatch("/api/", PathKind.EXACT),))), answer("exact")),
)


@pytest.mark.parametrize(
    ("target", "text", "seen"),
    [
        ("/", "all", "/"),
        ("/api", "api", "/"),
        ("/api2", "all", "/api2"),
        ("/API", "all", "/API"),
        ("/api/", "exact", "/api/"),
        ("/api/x%2Fy", "api", "/x%2Fy"),
        ("/api/v2", "v2", "/api/v2"),
        ("/api/v2/x", "v2", "/api/v2/x"),
        ("/api/v22", "api", "/v22"),
        ("/api/%2e%2e/x", "all", "/api/%2e%2e/x"),
        ("//api/x", "api", None),
    ],
)
def test_the_longest_path_owns_a_request(target: str, text: str, seen: str | None) -> None:
    found = routed(SHOP, Request("GET", target))
    assert found.route is not None
    assert (found.route.action, found.seen, found.earlier) == (answer(text), seen, ())


def test_a_request_may_have_no_route_or_no_path() -> None:
    bare = site("shop.example.com", Route(Match.of("/api"), answer("api")))
    assert routed(bare, Request("GET", "/x")).route is None
    assert routed(bare, Request("GET", "/../api")).path is None


V2 = (FieldMatch("x-version", (Text(r"^2\.", regex=True), Text("beta"))),)


@pytest.mark.parametrize(
    ("of", "request_", "reason"),
    [
        (Conditions(methods=("POST", "PUT")), Request("GET", "/"), "the method is GET, not POST or PUT"),
        (Conditions(methods=("GET",)), Request("GET", "/"), None),
        (
            Conditions(paths=(PathMatch("/a"),), methods=("GET",)),
            Request("GET", "/ab"),
            "the path is /ab, not below /a",
        ),
        (Conditions(paths=(PathMatch("^/v[0-9]$", PathKind.REGEX),)), Request("GET", "/v2"), None),
        (Conditions(headers=V2), Request("GET", "/"), "there is no header x-version"),
        (Conditions(headers=V2), Request("GET", "/", (("X-Version", ""),)), "there is no header x-version"),
        (Conditions(headers=V2), Request("GET", "/", (("X-Version", " 2.1 "),)), None),
        (
            Conditions(headers=V2),
            Request("GET", "/", (("X-Version", "1"), ("x-version", "beta"))),
            r"the header x-version is '1, beta', not ~^2\. or beta",
        ),
        (Conditions(query=(FieldMatch("q"),)), Request("GET", "/?x&q"), None),
        (Conditions(query=(FieldMatch("q"),)), Request("GET", "/?Q=1#&q"), "there is no parameter q"),
        (Conditions(query=(FieldMatch("a[]", (Text("b c&é"),)),)), Request("GET", "/?a%5B%5D=b+c%26%C3%A9"), None),
        (
            Conditions(query=(FieldMatch("q", (Text("2"),)),)),
            Request("GET", "/?q=1&q=2"),
            "the parameter q is '1', not 2",
        ),
        (Conditions(query=(FieldMatch("q", (Text("+"),)),)), Request("GET", "/?q=+"), "the parameter q is '+', not +"),
        (
            Conditions(cookies=(FieldMatch("a"),)),
            cookies("A=1; b=a; a"),
            "there is no cookie a",
        ),
        (
            Conditions(cookies=(FieldMatch("a", (Text("x;y"),)),)),
            cookies("b=1 ;a=x%3by"),
            None,
        ),
        (
            Conditions(sources=(ip_network("192.0.2.0/24"), ip_network("::1/128"))),
            Request("GET", "/", source=ip_address("198.51.100.7")),
            "the client's address is 198.51.100.7, not in 192.0.2.0/24 or ::1/128",
        ),
        (Conditions(sources=(ip_network("192.0.2.0/24"),)), Request("GET", "/", source=ip_address("192.0.2.7")), None),
        (
            Conditions(sources=(ip_network("192.0.2.0/24"),)),
            Request("GET", "/"),
            "the client's address is not known, not in 192.0.2.0/24",
        ),
    ],
)
def test_a_rule_says_on_which_condition_it_fails(of: Conditions, request_: Request, reason: str | None) -> None:
    one = site("shop.example.com", Route(Match.of("/"), answer("all")), rule("rule", of))
    found = routed(one, request_)
    assert [passed.reason for passed in found.earlier] == ([] if reason is None else [reason])
    assert found.route is not None
    assert found.route.action == answer("all" if reason else "rule")


def test_rules_are_tried_by_their_priority_and_then_as_written() -> None:
    get, put = Conditions(methods=("GET",)), Conditions(methods=("PUT",))
    one = site(
        "shop.example.com",
        Route(Match.of("/"), answer("all")),
        rule("third", get, none=Conditions((PathMatch("/x"),))),
        rule("fourth", get),
        rule("second", put, priority=9),
        Route(Match.of("/first"), answer("first"), priority=1),
    )
    found = routed(one, Request("GET", "/x/y"))
    assert [(passed.route.action, passed.reason) for passed in found.earlier] == [
        (answer("first"), "the path is /x/y, not below /first"),
        (answer("second"), "the method is GET, not PUT"),
        (answer("third"), "it meets all conditions of 'not'"),
    ]
    assert found.route is not None
    assert found.route.action == answer("fourth")


@pytest.mark.parametrize(
    "text",
    [
        r"^/v\d+\.php$",
        "(?i)API",
        "(?i:a)b",
        "[a-z]{2,}",
        "a{3}",
        r"(a|b)\1",
        "(?=x)(?!y)(?<=x)(?<!y)",
        r"[]a\]]",
        "é",
        "a++",
    ],
)
def test_a_regular_expression_that_all_read_alike_is_taken(text: str) -> None:
    assert pattern(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *(
            "(?P<host>a)",
            "(?<a>b)",
            r"a\Z",
            r"\Qa\E",
            r"\p{L}",
            r"\x{41}",
            "a{,3}",
            "a{1",
            "x(?i)y",
            "(?s).",
            "(*UTF)a",
        ),
        *("[[:alpha:]]", "[a--b]", "(?R)", "(?(1)a|b)", r"\u0041", "a{1001}", "(", "*a", "[b-a]", r"(?<=a|bc)", r"\10"),
    ],
)
def test_a_regular_expression_that_proxies_read_in_another_way_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="regular expression"):
        pattern(text)


def test_a_regular_expression_sees_bytes() -> None:
    assert found("^/..$", "/é")
    assert not found("^/.$", "/é")
    assert found("(?i)^/API$", "/api")
    assert not found("(?i)É", "é")
    assert not found(r"\w", "é")
