"""``schema``."""

from __future__ import annotations

import json

import typer


def schema() -> None:
    """Print the JSON Schema of x-stackctl, as editors use it."""
    from stackctl.proxies.registry import PROXIES
    from stackctl.stackfile.schema import editor_schema

    typer.echo(json.dumps(editor_schema(PROXIES), indent=2))
