"""The JSON Schemas of ``x-stackctl``, for editors and for other programs."""

from __future__ import annotations

import json
from collections.abc import Collection
from functools import cache
from typing import Any

import msgspec

from stackctl.stackfile.schema import ServiceKeys, StackKeys

COMPOSE_SCHEMA = "https://raw.githubusercontent.com/compose-spec/compose-go/main/schema/compose-spec.json"
"""URL of the JSON Schema of Compose."""


def json_schema(proxies: Collection[str]) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of ``x-stackctl`` in a Compose file; ``proxies`` are the values of ``proxy``."""
    shape, components = _shape("#/$defs/{name}", proxies)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "x-stackctl in a Compose file",
        **shape,
        "$defs": components,
    }


def editor_schema(proxies: Collection[str]) -> dict[str, Any]:
    """Return the JSON Schema of a whole Compose file.

    An editor uses one schema for a file, so this one replaces that of Compose. Draft 7, as the YAML language server
    understands no later one.
    """
    shape, components = _shape("#/definitions/{name}", proxies)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Compose file with x-stackctl",
        "allOf": [{"$ref": COMPOSE_SCHEMA}, shape],
        "definitions": components,
    }


def _shape(ref_template: str, proxies: Collection[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    (stack, service), components = msgspec.json.schema_components([StackKeys, ServiceKeys], ref_template=ref_template)
    # This package is below the proxies, and does not know them.
    components["StackKeys"]["properties"]["proxy"] = {"enum": [*proxies], "default": StackKeys().proxy}
    services = {"type": "object", "additionalProperties": {"type": "object", "properties": {"x-stackctl": service}}}
    return {"type": "object", "properties": {"x-stackctl": stack, "services": services}}, components


@cache
def editor_schema_file(proxies: tuple[str, ...]) -> bytes:
    """Return :func:`editor_schema` as the file that an editor reads."""
    return (json.dumps(editor_schema(proxies), indent=2) + "\n").encode()
