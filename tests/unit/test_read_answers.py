"""Reading: what the proxy answers itself, and what is wrong about it."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime

import pytest

from stackctl.errors import StackfileError
from stackctl.model.pages import ErrorPages, Maintenance, PageFile
from stackctl.model.routing import Redirect, Site
from stackctl.model.stack import Stack, UnknownNames
from stackctl.stackfile.document import Document
from stackctl.stackfile.read import read_sites, read_stack
from stackctl.stackfile.siblings import pages
from tests.unit.build import project

WEB = """\
services:
  web:
    x-stackctl:
      domains: [example.com, www.example.com]
      port: 8000
"""


def read(text: str) -> Stack:
    return read_stack(Document.parse(text, "f.yml"), project())


def top(*lines: str) -> str:
    return WEB + "x-stackctl:\n" + "".join(f"  {line}\n" for line in lines)


def own(*lines: str) -> str:
    return WEB + "".join(f"      {line}\n" for line in lines)


def site(*lines: str) -> Site:
    return read(own(*lines)).sites[0]


def refusal(text: str) -> StackfileError:
    with pytest.raises(StackfileError) as caught:
        read(text)
    return caught.value


# Redirects


def test_a_redirected_name_is_a_site_that_does_nothing_else() -> None:
    text = top(
        "redirects:",
        "  - from: [old.example.com, www.old.example.com]",
        "    to: https://new.example.com/",
        "  - {from: shop.example.com, to: 'https://example.com/shop', keep-path: false, code: 301}",
    )
    web, old, shop = read(text).sites
    assert (old.domains, old.where) == (("old.example.com", "www.old.example.com"), "f.yml:8")
    assert old.redirect == Redirect("https://new.example.com", 308, keep_path=True)
    assert shop.redirect == Redirect("https://example.com/shop", 301, keep_path=False)
    assert (web.redirect, old.servers, old.services) == (None, (), ())
    assert [one.name for one in read_sites(Document.parse(text, "f.yml"))] == [web.name, old.name, shop.name]


@pytest.mark.parametrize(
    ("item", "message", "hint"),
    [
        ("{from: [], to: 'https://new.example.com'}", "names nothing", ""),
        ("{from: a b, to: 'https://new.example.com'}", "is not a domain", ""),
        ("{from: www.example.com, to: 'https://new.example.com'}", "routed twice", "f.yml:3"),
        ("{from: [o.example.com, o.example.com], to: 'https://new.example.com'}", "routed twice", "f.yml:8"),
        ("{from: o.example.com, to: /new}", "is a path", "write a URL"),
        ("{from: o.example.com, to: 'ftp://new.example.com'}", "is not the target", "write a URL"),
        ("{from: o.example.com, to: 'https://new.example.com/?a=b'}", "a query", "remove one"),
        (
            "{from: o.example.com, to: 'https://new.example.com', code: 200}",
            "expected 301, 302, 303, 307 or 308, got 200",
            "",
        ),
        ("{from: o.example.com}", "required field `to`", ""),
        ("{from: o.example.com, to: 'https://o.example.com/x'}", "redirected to itself", "another name"),
        ("{from: o.example.com, to: 'https://O.example.com:443'}", "redirected to itself", "another name"),
    ],
)
def test_a_wrong_redirect_is_refused(item: str, message: str, hint: str) -> None:
    error = refusal(top("redirects:", f"  - {item}"))
    assert message in error.message
    assert hint in (error.hint or "")
    assert (error.where or "").startswith(("f.yml:7", "f.yml:8"))


def test_redirects_in_a_circle_are_refused_with_both_lines() -> None:
    error = refusal(
        top(
            "redirects:",
            "  - {from: a.example.com, to: 'https://b.example.com'}",
            "  - {from: b.example.com, to: 'http://a.example.com/x'}",
        )
    )
    assert str(error) == "f.yml:8: the redirects of a.example.com -> b.example.com -> a.example.com lead in a circle"
    assert error.hint == "see f.yml:9; let one of them lead elsewhere"


@pytest.mark.parametrize(
    ("keys", "way", "lines"),
    [
        # a route of one site, and the redirects of another
        (
            ("apps:", "  - domains: [a.example.com]", "    upstream: h:1",
             "    routes: [{path: /old, redirect: 'https://b.example.com/x'}]",
             "redirects:", "  - {from: b.example.com, to: 'http://a.example.com/old', keep-path: false}"),
            "a.example.com/old -> b.example.com -> a.example.com/old", (10, 12),
        ),
        # routes of two sites
        (
            ("apps:", "  - domains: [a.example.com]", "    upstream: h:1",
             "    routes: [{path: /x, redirect: 'https://b.example.com', keep-path: true}]",
             "  - domains: [b.example.com]", "    upstream: h:1",
             "    routes: [{path: /x, redirect: 'https://a.example.com', keep-path: true}]"),
            "a.example.com/x -> b.example.com/x -> a.example.com/x", (10, 13),
        ),
        # a canonical name, and a redirect back to one of the others
        (
            ("apps:", "  - domains: [a.example.com, b.example.com]", "    upstream: h:1",
             "    canonical: b.example.com",
             "    routes: [{path: /x, redirect: 'https://c.example.com/', keep-path: true}]",
             "redirects:", "  - {from: c.example.com, to: 'https://a.example.com'}"),
            "b.example.com/x -> c.example.com -> a.example.com/x -> b.example.com/x", (11, 13, 8),
        ),
    ],
)  # fmt: skip
def test_a_circle_over_several_sites_is_refused_with_all_lines(
    keys: tuple[str, ...], way: str, lines: tuple[int, ...]
) -> None:
    error = refusal(top(*keys))
    assert str(error) == f"f.yml:{lines[0]}: the redirects of {way} lead in a circle"
    assert error.hint == f"see {', '.join(f'f.yml:{line}' for line in lines[1:])}; let one of them lead elsewhere"


def test_a_redirect_that_arrives_is_no_circle() -> None:
    read(
        top(
            "apps:",
            "  - domains: [a.example.com, b.example.com]",
            "    upstream: h:1",
            "    canonical: b.example.com",
            "    routes: [{path: /x, redirect: 'https://c.example.com/x'}, {path: /y/z, redirect: /y}]",
            "redirects:",
            "  - {from: c.example.com, to: 'https://a.example.com/new', keep-path: true}",
        )
    )


def test_a_redirect_to_another_port_or_to_a_site_is_no_circle() -> None:
    stack = read(
        top(
            "redirects:",
            "  - {from: a.example.com, to: 'https://a.example.com:8443'}",
            "  - {from: b.example.com, to: 'https://www.example.com'}",
        )
    )
    assert len(stack.sites) == 3


# Names, pages and maintenance of a site


def test_the_keys_of_a_whole_site_have_their_meaning() -> None:
    found = site(
        "canonical: WWW.example.com",
        "errors: {502: pages/502.html, 404: ./pages/404.html}",
        "intercept-errors: true",
        "maintenance:",
        "  message: Back at six.",
        "  until: 2026-11-27T19:00:00+01:00",
        "  allow: [192.0.2.7, '2001:db8::/32']",
    )
    assert found.canonical == "www.example.com"
    assert found.errors == ErrorPages(((404, PageFile("pages/404.html")), (502, PageFile("pages/502.html"))), True)
    networks = (ipaddress.ip_network("192.0.2.7"), ipaddress.ip_network("2001:db8::/32"))
    until = datetime(2026, 11, 27, 18, tzinfo=UTC)
    assert found.maintenance == Maintenance("Back at six.", None, until, networks)
    assert [page.where for page in found.pages] == ["f.yml:7", "f.yml:7"]
    assert site("maintenance: {}").maintenance == Maintenance()


def test_the_pages_at_the_top_are_those_of_each_site_that_has_no_other() -> None:
    text = top("errors: {502: a.html, 503: b.html}", "apps:", "  - {domains: [b.example.com], upstream: '10.0.0.5:80'}")
    web, far = read(text.replace("port: 8000\n", "port: 8000\n      errors: {502: own.html}\n")).sites
    assert web.errors.pages == ((502, PageFile("own.html")), (503, PageFile("b.html")))
    assert far.errors.pages == ((502, PageFile("a.html")), (503, PageFile("b.html")))


@pytest.mark.parametrize(
    ("lines", "message", "where"),
    [
        (["canonical: other.example.com"], "is not a name of this site", "f.yml:6"),
        (["errors: {200: a.html}"], "not the status of an error", "f.yml:6"),
        (["errors: {444: a.html}"], "not the status of an error", "f.yml:6"),
        (["errors:", "  502: ../a.html"], "not below the stack's directory", "f.yml:7"),
        (["errors:", "  502: /etc/passwd"], "not below the stack's directory", "f.yml:7"),
        (["errors:", "  502: pages/a;b.html"], "is not the path of a page", "f.yml:7"),
        (["errors:", "  502: pages/$a.html"], "is not the path of a page", "f.yml:7"),
        (["errors:", "  502: pages/x.php"], "no ending that tells its content type", "f.yml:7"),
        (["errors: [a.html]"], "expected a mapping", "f.yml:6"),
        (["maintenance: {until: '18:00'}"], "with its offset from UTC", "f.yml:6"),
        (["maintenance: {until: '2026-11-27 18:00'}"], "with its offset from UTC", "f.yml:6"),
        (["maintenance: {until: '9999-12-31T23:59:59-23:00'}"], "no time of this century", "f.yml:6"),
        (["maintenance: {allow: [10.0.0.300]}"], "is not a network", "f.yml:6"),
        (["maintenance: {message: a, page: b.html}"], "is not shown", "f.yml:6"),
        (['maintenance: {message: "a\\nb"}'], "one line", "f.yml:6"),
        ([f"maintenance: {{message: {'a' * 501}}}"], "at most 500", "f.yml:6"),
        (["maintenance: true"], "expected a mapping", "f.yml:6"),
        (["maintenance: {alow: []}"], "no key 'alow'", "f.yml:6"),
    ],
)
def test_a_wrong_value_is_refused_with_its_line(lines: list[str], message: str, where: str) -> None:
    error = refusal(own(*lines))
    assert (message in error.message, error.where) == (True, where), error


def test_a_key_of_the_whole_site_is_refused_beside_a_path_of_it() -> None:
    text = own().replace("port: 8000", "port: 8000\n      path: /api\n      canonical: example.com")
    text += "  front:\n    x-stackctl:\n      domains: [example.com, www.example.com]\n      port: 80\n"
    error = refusal(text)
    assert str(error) == "f.yml:7: 'canonical' is a key of the whole site example.com"
    assert error.hint == "write it at f.yml:9"


# Unknown names


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        ("close", UnknownNames()),
        ("404", UnknownNames(status=404)),
        ("{redirect: 'https://example.com/'}", UnknownNames(redirect=Redirect("https://example.com/", 302))),
        ("{page: pages/hello.html}", UnknownNames(page=PageFile("pages/hello.html"))),
        ("{app: www.example.com}", UnknownNames(site=site().name)),
    ],
)
def test_unknown_names_get_what_default_says(value: str, meaning: UnknownNames) -> None:
    assert read(top(f"default: {value}")).unknown == meaning


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("open", "expected 404, close or a mapping, got 'open'"),
        ("403", "expected 404, close or a mapping, got 403"),
        ("{}", "needs one of"),
        ("{page: a.html, app: example.com}", "needs one of"),
        ("{app: b.example.com}", "no site has the name b.example.com"),
        ("{redirect: /x}", "is a path"),
        ("{sorry: a}", "no key 'sorry'"),
    ],
)
def test_a_wrong_default_is_refused(value: str, message: str) -> None:
    error = refusal(top(f"default: {value}"))
    assert (message in error.message, error.where) == (True, "f.yml:7"), error


def test_all_pages_are_found_in_a_file_that_need_not_be_valid() -> None:
    apps = "apps: [{maintenance: {page: d.html}}, 7]"
    text = top("errors: {502: a.html, 999: [b.html]}", "default: {page: c.html}", apps)
    text = text.replace("port: 8000\n", "port: x\n      errors: {404: e.html}\n")
    assert set(pages(Document.parse(text, "f.yml").data())) == {"a.html", "b.html", "c.html", "d.html", "e.html"}
    assert pages(None) == pages({"services": [], "x-stackctl": 3}) == ()
