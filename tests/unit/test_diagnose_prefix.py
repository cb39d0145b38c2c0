"""An app below a path of its site: what of its answer leads out of the path, and the setting that cures it."""

from __future__ import annotations

import pytest

from stackctl.diagnose.check import Verdict
from stackctl.diagnose.prefix import PrefixFacts, judge_prefix
from stackctl.model.values import Domain
from stackctl.observed.reply import Failure, Response

NAME = Domain("shop.example.com")
HTML = (("content-type", "text/html; charset=utf-8"),)


def facts(answer: Response, image: str = "own:1") -> PrefixFacts:
    return PrefixFacts(NAME, "/grafana", "docker-compose.yml:9", image, answer)


def page(text: str, *headers: tuple[str, str]) -> Response:
    return Response(200, (*HTML, *headers), len(text), body=text.encode())


@pytest.mark.parametrize(
    "answer",
    [
        page(""),
        page('<script src="app.js"></script><link href="./a/b.css"><img src="/grafana/x.png"><a href="/">home</a>'),
        page(
            '<img src="https://cdn.example.net/x.png"><img src="//cdn.example.net/x.png"><img src="data:image/png,x">'
        ),
        page('<base href="/grafana/"><script src="app.js">'),
        page("", ("location", "/grafana/login"), ("set-cookie", "a=b; Path=/grafana; Secure"), ("set-cookie", "c=d")),
        Response(302, (("location", "https://login.example.net/"),)),
        page('<img src="http://[x/"><form action><img src="">'),
        Response(200, (("content-type", "application/json"),), body=b'<img src="/x">'),
    ],
)
def test_what_stays_below_the_path_is_right(answer: Response) -> None:
    assert judge_prefix(facts(answer)).verdict is Verdict.OK


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (page('<script src="/static/app.js"></script>' * 2), "it refers to /static/app.js"),
        (page(f'<link rel=icon href="https://{NAME}/x.ico">'), f"it refers to https://{NAME}/x.ico"),
        (page('<img src="../x.png">'), f"it refers to https://{NAME}/x.png"),
        (page('<base href="/"><script src="app.js">'), f"it refers to /, it refers to https://{NAME}/app.js"),
        (page('<form action="/grafana2/login">'), "it refers to /grafana2/login"),
        (Response(302, (("location", "/login"),)), "it redirects to /login"),
        (Response(302, (("location", f"http://{NAME}"),)), f"it redirects to http://{NAME}"),
        (page("", ("set-cookie", "session=1; HttpOnly; path=/")), "it sets the cookie session for /"),
    ],
)
def test_what_leaves_the_path_is_named(answer: Response, text: str) -> None:
    check = judge_prefix(facts(answer))
    assert (check.verdict, check.text) == (Verdict.WRONG, f"the page at /grafana/ leaves it: {text}")
    assert check.todo == (
        f"tell the app its base URL https://{NAME}/grafana/, or give it a name of its own at docker-compose.yml:9"
    )


@pytest.mark.parametrize(
    ("image", "part"),
    [
        ("jenkins/jenkins:lts", "--prefix=/grafana "),
        ("quay.io/jupyter/base-notebook", "base_url=/grafana/"),
        ("grafana/grafana:12", f"GF_SERVER_ROOT_URL=https://{NAME}/grafana/"),
        ("nextcloud:31", "OVERWRITEWEBROOT=/grafana"),
        ("ghcr.io/open-webui/open-webui:main", "works at the root of a name only"),
    ],
)
def test_the_setting_of_a_known_app_is_named(image: str, part: str) -> None:
    todo = judge_prefix(facts(page('<img src="/x">'), image)).todo
    assert todo is not None
    assert part in todo


@pytest.mark.parametrize("answer", [Response(404), Response(502), Response(failure=Failure.CLOSED)])
def test_without_a_page_nothing_is_known(answer: Response) -> None:
    assert judge_prefix(facts(answer)).verdict is Verdict.UNKNOWN
