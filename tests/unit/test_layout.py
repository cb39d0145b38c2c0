"""Every path of a stack is written once: in the table of all, or in that of its proxy."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import stackctl
from stackctl.assets import assets_root
from stackctl.model import layout
from stackctl.model.layout import CERTBOT, DIRECTORIES, STATE, Place
from stackctl.proxies.nginx.layout import NGINX
from tests.offenders import no_offenders

SOURCE = Path(stackctl.__file__).parent
TABLES = [SOURCE / "model/layout.py", *SOURCE.glob("proxies/*/layout.py")]
INSIDE_CERTBOT = {SOURCE / "certs/issuer", SOURCE / "certs/dns01", SOURCE / "certs/watch"}
"""It runs in the certbot container, where there is no stackctl and so no table."""

PLACES = [NGINX, *(value for value in vars(layout).values() if isinstance(value, Place))]
NAMES = re.compile(
    "|".join(
        [
            *sorted({re.escape(path) for place in PLACES for path in (place.path, place.mount) if path != NGINX.path}),
            *map(re.escape, (STATE, CERTBOT, layout.CERTS, layout.WELL_KNOWN, layout.FULLCHAIN, layout.PRIVKEY)),
            # A folder of the proxy's; other paths that begin so are templates.
            rf"\b{NGINX.path}/(?:custom|live|generations|sites)\b",
            # The folders of certbot's tree.
            r"(?:^|/)(?:live|renewal|archive|accounts)/",
            r"\A(?:live|archive|accounts|generations)\Z",
        ]
    )
)


def literals(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The strings of a module that are no documentation, and their lines."""
    documentation = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.lineno, node.value


def found(path: Path) -> Iterator[str]:
    for line, text in literals(ast.parse(path.read_text())):
        if NAMES.search(text):
            yield f"{path.relative_to(SOURCE)}:{line}: {text!r}"


def test_no_other_module_writes_a_path_of_the_stack() -> None:
    modules = [path for path in SOURCE.rglob("*.py") if path not in TABLES and not INSIDE_CERTBOT & {*path.parents}]
    no_offenders(hit for path in modules for hit in found(path))


def test_templates_get_the_paths_as_values() -> None:
    found = []
    for path in [path for folder in ("compose", "nginx") for path in (assets_root() / folder).rglob("*.j2")]:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if not line.lstrip().startswith("#") and NAMES.search(line):
                found.append(f"{path.name}:{number}: {line.strip()}")
    no_offenders(found)


@pytest.mark.parametrize("text", ["data/certs/a", "/etc/letsencrypt", "nginx/custom", "x/live/y", ".stackctl/lock"])
def test_what_counts_as_such_a_path(text: str) -> None:
    assert NAMES.search(text)


@pytest.mark.parametrize("text", ["nginx/site.conf.j2", "alive/", "data", "custom"])
def test_what_does_not(text: str) -> None:
    assert not NAMES.search(text)


def test_only_the_owner_looks_into_the_state_and_at_the_credentials_of_receivers() -> None:
    closed = {STATE: 0o700, layout.WATCH.path: 0o700}
    assert {path: mode for path, mode in DIRECTORIES.items() if mode & 0o077 == 0} == closed


def test_a_path_below_a_place_is_below_it_on_both_sides() -> None:
    assert (
        Place("data/ca/one.example.com/key", "/etc/stackctl/ca/one.example.com/key")
        == layout.CA / "one.example.com" / "key"
    )
