"""Reading: paths, rules and actions of a site become its routes, and what is wrong is said with file and line."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from textwrap import indent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackctl.errors import StackfileError
from stackctl.model.backends import Backend, Server, ServerTls
from stackctl.model.matching import Conditions, FieldMatch, Match, PathKind, PathMatch, Text
from stackctl.model.routing import Action, Answer, Redirect, Route, Site
from stackctl.model.tuning import Tuning
from stackctl.model.values import ServiceName
from stackctl.stackfile.document import Document
from stackctl.stackfile.read import read_sites
from stackctl.templates import yaml_quote

WEB = "  web:\n    x-stackctl:\n      domains: [shop.example.com, www.example.com]\n      port: 8000\n"
API = "  api:\n    x-stackctl:\n      domains: [shop.example.com]\n      path: /api\n      port: 3000\n"
ROUTES = f"services:\n{WEB}      routes:\n"
FIRST = 7
"""The line of the first item of :data:`ROUTES`."""


def sites(text: str) -> tuple[Site, ...]:
    return read_sites(Document.parse(text, "f.yml"))


def only(text: str) -> Site:
    (site,) = sites(text)
    return site


def route(keys: str) -> Route:
    """Return the second route of a site, which has these ``keys``."""
    return only(f"{ROUTES}        - {keys}\n").routes[1]


def refusal(text: str) -> StackfileError:
    with pytest.raises(StackfileError) as caught:
        sites(text)
    return caught.value


def backend(service: str, port: int, tls: ServerTls | None = None) -> Backend:
    return Backend((Server.of(ServiceName(service), port, tls),))


# Paths of services


def test_two_services_share_a_name_where_their_paths_differ() -> None:
    site = only(f"services:\n{API}      strip: true\n{WEB}")
    assert site.domains == ("shop.example.com", "www.example.com"), "those of the one with /"
    assert site.where == "f.yml:9"
    assert site.routes == (
        Route(Match.of("/api"), backend("api", 3000), strip=True, where="f.yml:3"),
        Route(Match(), backend("web", 8000), where="f.yml:9"),
    )
    assert site.services == ("api", "web")


@pytest.mark.parametrize(
    ("written", "paths"),
    [
        ("/api", ["/api"]),
        ("/api/", ["/api"]),
        ("[/v1, /v2/]", ["/v1", "/v2"]),
        ("/", ["/"]),
        ("/a b/é", ["/a b/é"]),
        ("[/, /x]", ["/", "/x"]),
    ],
)
def test_a_path_is_a_prefix_without_a_slash_at_its_end(written: str, paths: list[str]) -> None:
    site = only(f"services:\n{API.replace('/api', written)}")
    assert site.routes[0].match == Match.of(*paths)


def test_there_is_nothing_to_strip_from_every_path() -> None:
    site = only(f"services:\n{API.replace('/api', '/')}      strip: true\n")
    assert site.routes[0].strip is False


def test_an_item_of_apps_has_paths_too() -> None:
    site = only(
        "x-stackctl:\n  apps:\n    - {domains: [shop.example.com], path: /old, strip: true, upstream: '10.0.0.5:80'}\n"
        f"services:\n{WEB}"
    )
    assert [str(one) for one in site.servers] == ["10.0.0.5:80", "web:8000"], "in the order of the file"
    assert site.routes[0].strip


def test_without_an_owner_of_every_path_the_names_are_those_of_all() -> None:
    other = "  b:\n    x-stackctl: {domains: [b.example.com, shop.example.com], path: /b, port: 1}\n"
    site = only(f"services:\n{API}{other}")
    assert (site.domains, site.where) == (("shop.example.com", "b.example.com"), "f.yml:3")


def test_a_third_block_joins_two_sites() -> None:
    blocks = [
        f"  {name}:\n    x-stackctl: {{domains: [{names}], path: /{name}, port: 1}}\n"
        for name, names in (("a", "a.example.com"), ("b", "b.example.com"), ("c", "b.example.com, a.example.com"))
    ]
    assert only(f"services:\n{''.join(blocks)}").domains == ("a.example.com", "b.example.com")


def test_the_settings_of_a_block_are_for_its_own_paths() -> None:
    text = f"x-stackctl: {{read-timeout: 9s}}\nservices:\n{WEB}      body-size: 1m\n{API}      read-timeout: 60s\n"
    site = only(text)
    assert site.tuning == replace(Tuning(), read_timeout="9s", body_size="1m")
    assert [one.tuning for one in site.routes] == [None, replace(Tuning(), read_timeout="60s")]


def test_the_settings_of_a_route_are_on_top_of_those_of_its_block() -> None:
    text = f"{ROUTES}        - {{path: /a, body-size: 10g}}\n        - {{path: /b}}\n      read-timeout: 9s\n"
    site = only(text)
    assert [one.tuning for one in site.routes] == [None, replace(site.tuning, body_size="10g"), None]
    assert [one.action for one in site.routes] == [backend("web", 8000)] * 3


def test_the_certificate_is_that_of_the_one_with_every_path() -> None:
    assert only(f"services:\n{WEB}      certificate: shared\n{API}").certificate == "shared"
    assert only(f"services:\n{WEB}      certificate: shared\n{API}      certificate: shared\n").certificate == "shared"
    assert only(f"services:\n{API}      certificate: shared\n").certificate == "shared"


# Routes of a site


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("{path: /ws, port: 8001}", Route(Match.of("/ws"), backend("web", 8001))),
        ("{path: [/a, /b], service: files, port: 80, strip: true}",
         Route(Match.of("/a", "/b"), backend("files", 80), strip=True)),
        ("{path: /x, upstream: 'https://a.internal'}",
         Route(Match.of("/x"), Backend((server := only(
             "x-stackctl: {apps: [{domains: [a.b], upstream: 'https://a.internal'}]}").servers[0],)))),
        ("{path: /x, port: 1, protocol: https, upstream-tls: {name: a.b}}",
         Route(Match.of("/x"), backend("web", 1, ServerTls(name="a.b")))),
        ("{path: /metrics, exact: true, deny: all}",
         Route(Match(Conditions((PathMatch("/metrics", PathKind.EXACT),))), Answer(403))),
        ("{path: /x/, exact: true}",
         Route(Match(Conditions((PathMatch("/x/", PathKind.EXACT),))), backend("web", 8000))),
        ("{path: '~^/v[0-9]+/'}",
         Route(Match(Conditions((PathMatch("^/v[0-9]+/", PathKind.REGEX),))), backend("web", 8000))),
        ("{path: /old, redirect: 'https://new.example.com/'}",
         Route(Match.of("/old"), Redirect("https://new.example.com/"))),
        ("{path: /old, redirect: 'HTTPS://New.Example.com/', code: 301, keep-path: true}",
         Route(Match.of("/old"), Redirect("https://new.example.com", 301, keep_path=True))),
        ("{path: /old, redirect: /new/?a=b}", Route(Match.of("/old"), Redirect("/new/?a=b"))),
        ("{path: /robots.txt, answer: {text: 'User-agent: *'}}",
         Route(Match.of("/robots.txt"), Answer(200, "User-agent: *"))),
        ("{path: /x, answer: {status: 503, text: '{}', content-type: application/json}}",
         Route(Match.of("/x"), Answer(503, "{}", "application/json"))),
        ("{path: /x, priority: 5}", Route(Match.of("/x"), backend("web", 8000), priority=5)),
        ("{match: {method: post}}", Route(Match(Conditions(methods=("POST",))), backend("web", 8000))),
    ],
)  # fmt: skip
def test_what_a_route_does(keys: str, expected: Route) -> None:
    assert route(keys) == replace(expected, where=f"f.yml:{FIRST}")


def test_every_condition_of_a_match() -> None:
    keys = """match:
            path: [/x, "~y$"]
            method: [POST, put]
            header: {X-Version: "~^2\\\\.", x-a: [b, c], x-any: }
            query: {preview: "1", empty: ""}
            cookie: {group: beta}
            source: [192.0.2.0/24, "2001:db8::1"]
            not: {path: /x/y, header: {x-no: }}
"""
    assert route(keys).match == Match(
        Conditions(
            paths=(PathMatch("/x"), PathMatch("y$", PathKind.REGEX)),
            methods=("POST", "PUT"),
            headers=(
                FieldMatch("x-version", (Text("^2\\.", regex=True),)),
                FieldMatch("x-a", (Text("b"), Text("c"))),
                FieldMatch("x-any"),
            ),
            query=(FieldMatch("preview", (Text("1"),)), FieldMatch("empty", (Text(""),))),
            cookies=(FieldMatch("group", (Text("beta"),)),),
            sources=(ip_network("192.0.2.0/24"), ip_network("2001:db8::1/128")),
        ),
        Conditions((PathMatch("/x/y"),), headers=(FieldMatch("x-no"),)),
    )


def test_a_site_may_have_no_server() -> None:
    text = "x-stackctl: {apps: [{domains: [old.example.com], routes: [{path: /, redirect: 'https://a.b/'}]}]}"
    site = only(text)
    assert (site.servers, site.routes[0].action) == ((), Redirect("https://a.b/"))


def test_rules_of_several_blocks_are_in_the_order_of_the_file() -> None:
    rule = "{match: {method: %s}, deny: all}"
    top = f"x-stackctl: {{apps: [{{domains: [shop.example.com], routes: [{rule % 'A'}]}}]}}\n"
    site = only(f"{top}services:\n{WEB}      routes: [{rule % 'B'}, {rule % 'C'}]\n")
    assert [one.match.all_of.methods for one in site.routes if one.is_rule] == [("A",), ("B",), ("C",)]


# What contradicts itself


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (f"services:\n{WEB}{API.replace('/api', '/')}", "f.yml:7: shop.example.com is routed twice", "see f.yml:3; "),
        (f"services:\n{API}{API.replace('api:', 'b:')}", "f.yml:8: shop.example.com/api is routed twice",
         "see f.yml:3"),
        (f"{ROUTES}        - path: /a\n        - path: [/b, /a]\n", "f.yml:8: shop.example.com/a is routed twice",
         "see f.yml:7"),
        (f"services:\n{WEB}{API.replace('shop.', 'x.').replace('[', '[www.example.com, ')}",
         "f.yml:7: x.example.com is not a name of the site shop.example.com, to which this path belongs",
         "add it to the domains at f.yml:3, or remove it here: a route is for all names of its site"),
        (f"services:\n{WEB}{API}      certificate: b\n",
         "f.yml:7: 'certificate' is a key of the whole site shop.example.com, which has another one",
         "see f.yml:3; write it there only"),
        ("services:\n" + "".join(
            f"  {n}: {{x-stackctl: {{domains: [{d}], port: 1{p}}}}}\n"
            for n, d, p in (("a", "a.b", ""), ("b", "b.b", ""), ("c", "a.b, b.b", ", path: /c"))),
         "f.yml:4: a.b, b.b are names of different sites",
         "see f.yml:2 and f.yml:3; write one item of x-stackctl.apps for each site"),
    ],
)  # fmt: skip
def test_what_contradicts_another_place_is_said_with_both(text: str, message: str, hint: str) -> None:
    error = refusal(text)
    assert str(error) == message
    assert (error.hint or "").startswith(hint)


def test_a_prefix_and_the_same_exact_path_are_two_routes() -> None:
    assert len(only(f"{ROUTES}        - path: /a\n        - {{path: /a, exact: true, deny: all}}\n").routes) == 3


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("{}", "a route needs 'path', or 'match' with the conditions of its requests"),
        ("{path: /x, match: {path: /x}}", "a route has 'path' or 'match'"),
        ("{match: {}}", "'match' has no conditions"),
        ("{match: {path: /x, not: {}}}", "'not' has no conditions"),
        ("{path: /x, redirect: /y, deny: all}", "a route does one thing, and this one has 'redirect' and 'deny'"),
        ("{path: /x, port: 1, answer: {}}", "a route does one thing, and this one has 'port' and 'answer'"),
        ("{path: /x, code: 301}", "'code' applies to a redirect"),
        ("{path: /x, deny: all, keep-path: true}", "'keep-path' applies to a redirect"),
        ("{path: /x, protocol: https}", "'protocol' applies to a server of the route's own"),
        ("{path: /x, deny: all, upstream-tls: {}}", "'upstream-tls' applies to a server of the route's own"),
        ("{path: /x, service: web}", "a route needs 'service' and 'port', or 'upstream', and this one has 'service'"),
        ("{path: /x, upstream: 'h:1', port: 1}",
         "a route needs 'service' and 'port', or 'upstream', and this one has 'port' and 'upstream'"),
        ("{path: /x, deny: all, strip: true}", "'strip' applies to requests that an app gets"),
        ("{path: '~^/x', strip: true}", "'strip' needs the prefix that it removes"),
        ("{path: /x, exact: true, strip: true}", "'strip' needs the prefix that it removes"),
        ("{match: {method: GET}, strip: true}", "'strip' needs the prefix that it removes"),
        ("{match: {method: GET}, exact: true}", "'exact' applies to paths, and this route has none"),
        ("{path: '~^/x', exact: true}", "'~^/x' is not a path"),
        ("{path: [/x, /x/]}", "/x/ is listed twice here"),
        ("{match: {header: {a: b, A: c}}}", "a is listed twice here"),
        ("{path: /x, body-size: 1 GB}", "'1 GB' is not a size"),
        ("{path: /x, upstream: h}", "'h' is not HOST:PORT"),
        ("{path: /x, redirect: /y?z, keep-path: true}",
         "'/y?z' has a query or a fragment, but the path of the request is to follow it"),
        ("{path: /x, answer: {status: 301}}", "301 is the status of a redirect"),
        ("{path: /x, answer: {status: 444}}", "444 is not the status of an answer"),
        ("{path: /x, answer: {status: 204, text: x}}", "a response 204 has no text"),
        ("{path: /x, answer: {content-type: html}}", "'html' is not a content type"),
    ],
)  # fmt: skip
def test_a_route_that_makes_no_sense_is_said_with_its_line(keys: str, message: str) -> None:
    assert str(refusal(f"{ROUTES}        - {keys}\n")) == f"f.yml:{FIRST}: {message}"


@pytest.mark.parametrize(
    ("routes", "path"),
    [
        ("{path: /a, redirect: /a}", "/a"),
        ("{path: /a, redirect: /a/b}", "/a"),
        ("{path: /a b, redirect: 'https://www.example.com/a%20b/?x=1'}", "/a b"),
        ("{path: /a, redirect: /b}, {path: /b, redirect: /a/x}", "/a"),
        ("{path: /a, redirect: 'https://shop.example.com:443', keep-path: true}", "/a"),
        ("{path: /a, redirect: /a/new, keep-path: true}", "/a"),
    ],
)
def test_a_redirect_that_leads_back_to_itself_is_refused(routes: str, path: str) -> None:
    error = refusal(f"services:\n{WEB}      routes: [{routes}]\n")
    assert error.message.startswith(f"the redirect of {path} leads back to itself: 308 to ")
    assert error.where == "f.yml:6"


@pytest.mark.parametrize(
    "routes",
    [
        "{path: /a, exact: true, redirect: /a/b}",
        "{path: /a, redirect: /a/b}, {path: /a/b}",
        "{path: /a, redirect: /new, keep-path: true}",
        "{path: /a, redirect: 'https://shop.example.com:8443/a'}",
        "{path: /a, redirect: 'https://x.example.com/a'}",
        "{path: /a, redirect: /a}, {match: {path: '~^/a', not: {method: PUT}}, deny: all}",
        "{match: {path: /a, method: POST}, redirect: /a}",
    ],
)
def test_a_redirect_that_another_route_answers_is_taken(routes: str) -> None:
    assert sites(f"services:\n{WEB}      routes: [{routes}]\n")


@pytest.mark.parametrize("key", ["strip: true", "path: /x"])
def test_keys_of_an_app_need_one(key: str) -> None:
    text = f"x-stackctl: {{apps: [{{domains: [a.b], {key}, routes: [{{path: /, deny: all}}]}}]}}"
    assert "applies to an app, and there is none here" in str(refusal(text))


def test_strip_without_a_path_is_refused() -> None:
    assert str(refusal(f"services:\n{WEB}      strip: true\n")) == "f.yml:6: 'strip' needs the prefix that it removes"


# Wrong values, each with its line


@pytest.mark.parametrize(
    "text",
    ["", "api", "api/", "*", "/a?b", "/a#b", "//a", "/a//b", "/a/./b", "/a/..", "/%2F", "/a\nb", "/a\x00", "/\x7f",
     "/\u2028", "/" + "a" * 500, "~^/x", "https://a.b/x"],
)  # fmt: skip
def test_a_wrong_path_of_a_service(text: str) -> None:
    error = refusal(f"services:\n{API.replace('/api', yaml_quote(text))}")
    assert error.where == "f.yml:5"


@pytest.mark.parametrize(
    ("key", "text"),
    [
        *(("path", text) for text in ("~", "~(", "~*x", "~a\nb", "~(?P<a>x)", "~" + "a" * 501, "~" + "(" * 400)),
        *(("method", text) for text in ("", "GET POST", "~GET", "GÉT", "G;T", "X" * 40)),
        *(("source", text) for text in ("", "a.b", "192.0.2.1/24", "192.0.2.0/33", "::1%eth0", "0/0")),
        *(("header", text) for text in ("", "x_y", "x y", "x:y", "é", "x" * 200)),
        *(("query", text) for text in ("", "a=b", "a&b", "a b", "é")),
        *(("cookie", text) for text in ("", "a=b", "a;b", "a b", "é")),
    ],
)
def test_a_wrong_condition(key: str, text: str) -> None:
    quoted = yaml_quote(text)
    value = f"\n              {quoted}: x" if key in {"header", "query", "cookie"} else f"\n              {quoted}"
    error = refusal(f"{ROUTES}        - match:\n            {key}:{value}\n")
    assert error.where in {f"f.yml:{FIRST + 1}", f"f.yml:{FIRST + 2}"}


@pytest.mark.parametrize("value", ["''", '"a\\nb"', "'~('", "'~*x'", "'~'"])
def test_a_wrong_value_of_a_header(value: str) -> None:
    assert refusal(f"{ROUTES}        - match: {{header: {{a: {value}}}}}\n").where == f"f.yml:{FIRST}"


@pytest.mark.parametrize(
    "text",
    ["", "new.example.com", "ftp://a.b/", "javascript:x", "//a.b/", "https:///x", "https://", "https://u:p@a.b/",
     "https://a.b:99999/", "https://a b/", "https://a.b/\r\nSet-Cookie: x", "/a\nb", "/a b", "\\\\a.b", "/\\a.b",
     "https://a;b/", "https://[::1", "https://*.a.b/", "/" + "a" * 600, "https://a.b//x"],
)  # fmt: skip
def test_a_wrong_target_of_a_redirect(text: str) -> None:
    error = refusal(f"{ROUTES}        - path: /x\n          redirect: {yaml_quote(text)}\n")
    assert error.where == f"f.yml:{FIRST + 1}"


@pytest.mark.parametrize(
    ("written", "target"),
    [
        ("https://a.b", "https://a.b"),
        ("http://localhost:8080/x?y=%20#z", "http://localhost:8080/x?y=%20#z"),
        ("https://[2001:DB8::1]:8443/", "https://[2001:db8::1]:8443/"),
        ("https://MÜNCHEN.de/Straße", "https://xn--mnchen-3ya.de/Stra%C3%9Fe"),
        ("/", "/"),
        ('/"$x"', "/%22$x%22"),
    ],
)
def test_a_target_of_a_redirect_is_encoded(written: str, target: str) -> None:
    keys = f"path: /x\n          redirect: {yaml_quote(written)}"
    assert route(keys).action == Redirect(target)


@pytest.mark.parametrize("text", ["a\rb", "a\x00b", "x" * 2001, "é" * 1001, "\u202e"])
def test_a_wrong_text_of_an_answer(text: str) -> None:
    error = refusal(f"{ROUTES}        - path: /x\n          answer:\n            text: {yaml_quote(text)}\n")
    assert error.where == f"f.yml:{FIRST + 2}"


def test_a_text_of_an_answer_may_have_lines() -> None:
    action: Action = route('path: /x\n          answer: {text: "a\\n\\tb $x \\"c\\""}').action
    assert action == Answer(200, 'a\n\tb $x "c"')


ROUTE_KEYS = ("path", "exact", "match", "priority", "strip", "service", "port", "upstream", "protocol", "upstream-tls",
              "redirect", "code", "keep-path", "answer", "deny", "body-size")  # fmt: skip
MATCH_KEYS = ("path", "method", "header", "query", "cookie", "source", "not")
WRONG = ("5", "1.5", "true", "[]", "{}", "[[a]]", "[5]", "{a: {b: c}}", "{a: 5}", "{a: [5]}", "{5: a}", "2026-01-01")


TAKEN = {
    *(f"{key}: {value}" for key in ("header", "query", "cookie") for value in ("{}", "{5: a}")),
    "not: {}", "priority: 5", "port: 5", "exact: true", "strip: true", "answer: {}", "upstream-tls: {}",
}  # fmt: skip
"""Those of them that are right, or have a message of their own."""


@pytest.mark.parametrize(
    "keys",
    [
        *(f"{key}: {value}" for key in ROUTE_KEYS for value in WRONG if f"{key}: {value}" not in TAKEN),
        *(f"match:\n  {key}: {value}" for key in MATCH_KEYS for value in WRONG if f"{key}: {value}" not in TAKEN),
    ],
)
def test_yaml_of_another_type_is_one_message_with_its_line(keys: str) -> None:
    before = "" if keys.startswith(("path", "match")) else "path: /x"
    error = refusal(f"{ROUTES}        -\n{indent(keys, ' ' * 10)}\n{indent(before, ' ' * 10)}\n")
    assert not {"`", "\n"} & {*error.message}
    assert error.where in {f"f.yml:{FIRST}", f"f.yml:{FIRST + 1}", f"f.yml:{FIRST + 2}"}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("path: 5", "f.yml:8: services.web.x-stackctl.routes.0.path: expected text or a list, got a whole number"),
        (
            "match:\n  header:\n    a: x\n    b: 5",
            "f.yml:11: services.web.x-stackctl.routes.0.match.header.b: expected text or a list, got a whole number",
        ),
        ("match:\n  header:\n    b: [x, 5]",
         "f.yml:10: services.web.x-stackctl.routes.0.match.header.b.1: expected text, got a whole number"),
        ("macth: {}", "f.yml:8: services.web.x-stackctl.routes.0 has no key 'macth'"),
        ("match:\n  not:\n    metod: x", "f.yml:10: services.web.x-stackctl.routes.0.match.not has no key 'metod'"),
        ("answer:\n  code: 1", "f.yml:9: services.web.x-stackctl.routes.0.answer has no key 'code'"),
    ],
)  # fmt: skip
def test_the_exact_place_is_named(keys: str, message: str) -> None:
    assert str(refusal(f"{ROUTES}        -\n{indent(keys, ' ' * 10)}\n")) == message


@given(st.text(max_size=30))
def test_no_path_does_anything_but_be_taken_or_refused(text: str) -> None:
    try:
        site = only(f"services:\n{API.replace('/api', yaml_quote(text))}")
    except StackfileError:
        return
    (path,) = site.routes[0].match.all_of.paths
    assert path.text.startswith("/")
    assert path.text.isprintable()
    assert not {"//", "/./", "/../", "?", "#"} & {path.text[n : n + size] for n in range(31) for size in (1, 2, 3, 4)}
