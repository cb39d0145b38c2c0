"""Reads the fields of forms."""

from __future__ import annotations

from starlette.datastructures import FormData


def text_of(form: FormData, name: str) -> str:
    """Return a field of a form, without spaces around it; empty if it is not there, or a file."""
    value = form.get(name, "")
    return value.strip() if isinstance(value, str) else ""
