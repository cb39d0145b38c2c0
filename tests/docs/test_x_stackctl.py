"""docs/reference/x-stackctl.md lists the keys of the schema, with their defaults."""

from __future__ import annotations

import json

import msgspec
import pytest
from msgspec import NODEFAULT, Struct

from stackctl.model.tuning import Tuning
from stackctl.proxies.registry import PROXIES
from stackctl.stackfile.access_keys import AccessKeys, ForwardAuthKeys
from stackctl.stackfile.alert_keys import AlertsKeys
from stackctl.stackfile.answer_keys import AnswerKeys, MaintenanceKeys, RedirectKeys
from stackctl.stackfile.balance_keys import CanaryKeys, StickyKeys, UpstreamKeys
from stackctl.stackfile.behind_keys import BehindKeys
from stackctl.stackfile.block_keys import BlockKeys
from stackctl.stackfile.client_keys import ClientCertificateKeys
from stackctl.stackfile.dns_keys import DnsKeys
from stackctl.stackfile.header_keys import HeadersKeys
from stackctl.stackfile.health_keys import HealthKeys
from stackctl.stackfile.imported_keys import ImportedKeys
from stackctl.stackfile.json_schema import json_schema
from stackctl.stackfile.limit_keys import RateLimitKeys
from stackctl.stackfile.schema import (
    AppKeys,
    MatchKeys,
    RouteKeys,
    ServiceKeys,
    StackKeys,
    known_keys,
)
from stackctl.stackfile.stream_keys import StreamKeys
from tests.docs.pages import REFERENCE, ROOT, Page, assert_current

PAGE = Page(REFERENCE / "x-stackctl.md")
TABLES: dict[str, type[Struct]] = {
    "At the top": StackKeys,
    "In a service": ServiceKeys,
    "In an item of apps": AppKeys,
    "In an item of routes": RouteKeys,
    "In match": MatchKeys,
    "In answer": AnswerKeys,
    "In an item of upstreams": UpstreamKeys,
    "In sticky": StickyKeys,
    "In canary": CanaryKeys,
    "Health": HealthKeys,
    "Limits of requests": RateLimitKeys,
    "Headers": HeadersKeys,
    "Blocked clients": BlockKeys,
    "Access": AccessKeys,
    "Client certificates": ClientCertificateKeys,
    "In forward-auth": ForwardAuthKeys,
    "A certificate of your own": ImportedKeys,
    "Redirects": RedirectKeys,
    "Streams": StreamKeys,
    "Behind a load balancer": BehindKeys,
    "Alerts": AlertsKeys,
    "DNS-01": DnsKeys,
    "Maintenance": MaintenanceKeys,
}
SPECIAL = {
    "At the top": {"headers": "none", "access": "none"},
    "In an item of routes": {"service": "its service", "code": "308"},
    "A certificate of your own": {"days": "7 with fallback"},
}
"""Defaults that the reader gives, and not the schema."""


@pytest.mark.parametrize("heading", TABLES)
def test_every_key_is_listed_once(heading: str) -> None:
    assert sorted(row[0] for row in PAGE.table(heading)) == sorted(known_keys(TABLES[heading]))


@pytest.mark.parametrize("heading", [heading for heading in TABLES if heading != "In match"])
def test_the_defaults_are_those_of_the_schema(heading: str) -> None:
    fields = msgspec.structs.fields(TABLES[heading])
    assert {row[0]: row[2] for row in PAGE.table(heading)} == {
        field.encode_name: SPECIAL.get(heading, {}).get(field.encode_name) or _default(field, heading)
        for field in fields
    }


def test_the_json_schema_is_current() -> None:
    assert_current(ROOT / "compose" / "x-stackctl.schema.json", json.dumps(json_schema(PROXIES), indent=2) + "\n")


def _default(field: msgspec.structs.FieldInfo, heading: str) -> str:
    if field.required:
        return "required"
    value = field.default if field.default is not NODEFAULT else field.default_factory()
    if value is None and hasattr(Tuning, field.name):
        inherited = "as in its service" if heading == "In an item of routes" else "as at the top"
        return json.dumps(getattr(Tuning(), field.name)).strip('"') if heading == "At the top" else inherited
    return "none" if value in (None, [], {}, "") else json.dumps(value).strip('"')
