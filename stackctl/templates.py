"""The template environment: quoting is in its filters, decisions are in the callers."""

from __future__ import annotations

import json
import re
from functools import lru_cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from stackctl.assets import assets_root

_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9._-]*\Z")
_NO_TEXT = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}


def yaml_quote(text: str) -> str:
    """Return ``text`` as a YAML scalar in double quotes: JSON, with the characters escaped that YAML requires."""
    quoted = json.dumps(text, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", quoted)


def yaml_name(text: str) -> str:
    """Return the name of a service or domain: plain if YAML reads it as text, else in quotes."""
    plain = _PLAIN.match(text) and text.lower() not in _NO_TEXT
    return text if plain else yaml_quote(text)


def compose_quote(text: str) -> str:
    """Like :func:`yaml_quote`, and escaped against Compose's variable interpolation."""
    return yaml_quote(text.replace("$", "$$"))


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(assets_root()),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701  (nginx and YAML, not HTML: each value passes a filter of its own)
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    environment.filters["yaml_quote"] = yaml_quote
    environment.filters["yaml_name"] = yaml_name
    environment.filters["compose_quote"] = compose_quote
    return environment


def render(template: str, **values: object) -> str:
    """Render a template of ``compose/`` or of a proxy with ``values``; a missing value is an error."""
    return _environment().get_template(template).render(**values)
