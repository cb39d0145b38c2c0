"""Quoting: what a filter lets through is read back as the very same text, or it is refused."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jinja2 import TemplateNotFound, UndefinedError
from ruamel.yaml import YAML

from stackctl.assets import assets_root
from stackctl.errors import InputError
from stackctl.proxies.nginx.quoting import nginx_quote
from stackctl.stackfile.document import Document
from stackctl.templates import compose_quote, render, yaml_quote

# What UTF-8 files can hold; a lone surrogate never comes out of one.
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
TRICKY = st.text(
    st.sampled_from("\"\\'$ {}#:-&*!|>%@`,[]?\n\r\t\0\x07\x1b\x7f\x85\xa0\u2028\u2029\ufeff\ufffe\U0001f433a")
)


def read_back(quoted: str, *, pure: bool) -> object:
    return YAML(typ="safe", pure=pure).load(f"key: {quoted}\n")["key"]


def printed_by_nginx(quoted: str) -> str:
    """What nginx reads a double-quoted parameter as (ngx_conf_read_token)."""
    assert quoted[0] == quoted[-1] == '"'
    inner = quoted[1:-1]
    assert not re.search(r'(?<!\\)(?:\\\\)*"', inner)  # no quote ends it early
    return re.sub(r'\\(["\\])', r"\1", inner)


@given(TEXT | TRICKY)
@example("\x7f\x85\u2028")
@example("\ufeff")
@example("null")
def test_yaml_quote_survives_both_parsers(text: str) -> None:
    quoted = yaml_quote(text)
    assert "\n" not in quoted
    assert read_back(quoted, pure=True) == text
    assert read_back(quoted, pure=False) == text


@given(TEXT | TRICKY)
@example("\u2028")
def test_yaml_quote_survives_our_own_documents_in_one_line(text: str) -> None:
    doc = Document.parse(f"key: {yaml_quote(text)}\nnext: 1\n", "f.yml")
    assert doc.data() == {"key": text, "next": 1}
    assert doc.where_of(("next",)) == "f.yml:2"


@given(TEXT | TRICKY)
def test_compose_quote_is_read_back_after_compose_replaced_variables(text: str) -> None:
    read = read_back(compose_quote(text), pure=False)
    assert isinstance(read, str)
    assert "$" not in read.replace("$$", "")  # nothing is left that Compose would replace
    assert read.replace("$$", "$") == text


@given(TEXT | TRICKY)
@example('\\"; return 200; #')
@example("a\nb")
def test_nginx_quote_is_one_parameter_or_refused(text: str) -> None:
    try:
        quoted = nginx_quote(text)
    except InputError:
        assert re.search(r"[\x00-\x1f\x7f$]", text)
        return
    assert not re.search(r"[\x00-\x1f\x7f$]", text)
    assert printed_by_nginx(quoted) == text


@pytest.mark.parametrize("char", ["\0", "\t", "\n", "\r", "\x1b", "\x1f", "\x7f"])
def test_nginx_quote_refuses_every_control_character(char: str) -> None:
    with pytest.raises(InputError, match="control character"):
        nginx_quote(f"a{char}b")


@pytest.mark.parametrize("text", ["$", "$host", "${host}", "a$", "\\$host"])
def test_nginx_quote_refuses_what_nginx_takes_for_a_variable(text: str) -> None:
    with pytest.raises(InputError, match="'\\$'"):
        nginx_quote(text)


@pytest.mark.parametrize(
    ("text", "quoted"),
    [("", '""'), ("a b", '"a b"'), ('a"b', '"a\\"b"'), ("a\\b", '"a\\\\b"'), ("a;{}#'", '"a;{}#\'"')],
)
def test_nginx_quote_escapes_quotes_and_backslashes(text: str, quoted: str) -> None:
    assert nginx_quote(text) == quoted


def test_a_value_that_a_template_needs_and_does_not_get_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="webroot"):
        render("nginx/snippets/acme.conf.j2", challenges="challenges")


def test_a_template_that_is_not_there_is_an_error() -> None:
    with pytest.raises(TemplateNotFound):
        render("nginx/nothing.j2")


TEMPLATES = sorted(
    path.relative_to(assets_root()) for name in ("nginx", "compose") for path in (assets_root() / name).rglob("*.j2")
)


@pytest.mark.parametrize("path", TEMPLATES, ids=str)
def test_a_template_decides_on_nothing_but_what_it_is_given(path: object) -> None:
    text = (assets_root() / str(path)).read_text(encoding="utf-8")
    # Loops and conditions over values; no assignments, no defaults, no templates within templates.
    assert not re.search(r"{%-?\s*(?:set|import|from|include|extends)\b|\|\s*default", text)


def test_the_assets_are_where_the_package_finds_them() -> None:
    assert (assets_root() / "nginx" / "nginx.conf.j2").is_file()
    assert (assets_root() / "compose" / "docker-compose.yml.j2").is_file()
