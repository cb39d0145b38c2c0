"""``schema``."""

from __future__ import annotations


def schema() -> None:
    """Print the JSON Schema of x-stackctl for editors."""
    from stackctl.cli.console import print_json
    from stackctl.proxies.registry import PROXIES
    from stackctl.stackfile.json_schema import editor_schema

    print_json(editor_schema(PROXIES))
