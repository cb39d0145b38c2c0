"""Texts that the patterns of a configuration match."""

from __future__ import annotations

import re
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackctl.adopt.samples import sample_name, sample_path


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        (r"\.php$", "/x.php"),
        (r"^/api/(v1|v2)/.*$", "/api/v1/x"),
        (r"\.(jpg|jpeg|png|gif|ico|css|js)$", "/x.jpg"),
        (r"^/(?<lang>en|fr)/(.+)$", "/en/x"),
        (r"^/[a-z0-9_-]+/edit$", "/a/edit"),
        (r"^/users/\d{3}$", "/users/111"),
        (r"^/files/(.*)\.(?:zip|tar\.gz)$", "/files/x.zip"),
        (r"/\.(?!well-known)", "/."),
        (r"^(?!/api).*", "/xx"),
        (r"^.+\.(ttf|woff2?)$", "/xx.ttf"),
        (r"^/[^/]+/$", "/x/"),
        (r"~$", "/x~"),
    ],
)
def test_a_path_is_one_that_the_pattern_matches(pattern: str, path: str) -> None:
    assert sample_path(pattern) == path


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        (r"^www\.(.+)$", "www.x"),
        (r"^(?<sub>.+)\.example\.com$", "x.example.com"),
        (r"^app\d+\.example$", "app1.example"),
    ],
)
def test_a_name_is_one_that_the_pattern_matches(pattern: str, name: str) -> None:
    assert sample_name(pattern) == name


@pytest.mark.parametrize("pattern", ["(", r"\p{L}+", "[[:alpha:]]+", "^$", "[a", "(" * 400 + ")" * 400, "x" * 2000])
def test_a_pattern_that_is_not_understood_has_no_sample(pattern: str) -> None:
    assert sample_path(pattern) is None


@given(st.text("ab/.(|)[]^$*+?{}\\d1-", max_size=20))
def test_no_sample_is_one_that_the_pattern_does_not_match(pattern: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        sample = sample_path(pattern)
        assert sample is None or re.search(pattern, sample)
