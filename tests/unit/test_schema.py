"""The published JSON Schema: it says yes and no where the reader does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator, Draft202012Validator
from referencing import Registry, Resource

from stackctl.errors import StackfileError
from stackctl.proxies.registry import PROXIES
from stackctl.stackfile.answer_keys import AnswerKeys
from stackctl.stackfile.document import Document
from stackctl.stackfile.json_schema import COMPOSE_SCHEMA, editor_schema, json_schema
from stackctl.stackfile.read import read_sites
from stackctl.stackfile.schema import AppKeys, MatchKeys, RouteKeys, ServiceKeys, StackKeys, known_keys
from tests.offenders import no_offenders
from tests.unit.build import GOLDEN

SCHEMA = json_schema(PROXIES)
TOP_KEYS = sorted({*known_keys(StackKeys), "emial"} - {"proxy"})
"""Which proxies there are, the registry says, and not the reader."""
VALIDATOR = Draft202012Validator(SCHEMA)
FILES = sorted((GOLDEN / "compose").glob("*.yml"))

PORTS = st.sampled_from([1, 80, 65535, 0, -1, 65536, "80", None, 1.5, True])
TEXTS: st.SearchStrategy[Any] = st.sampled_from(["64m", "1s", "a@b.c", "letsencrypt", 5, None, True, []])
DOMAINS = st.sampled_from([["a.b"], ["a.b", "c.b"], [], "a.b", [1], None])
SHAPES: list[tuple[Any, ...]] = [(StackKeys,), (ServiceKeys,), (AppKeys,)]


def schema_accepts(data: Any) -> bool:
    return VALIDATOR.is_valid(data)


def reader_accepts(data: Any) -> bool:
    try:
        read_sites(Document.parse(json.dumps(data), "f.yml"))
    except StackfileError:
        return False
    return True


def with_keys(**keys: Any) -> dict[str, Any]:
    return {"x-stackctl": {key.replace("_", "-"): value for key, value in keys.items()}}


def with_service(**keys: Any) -> dict[str, Any]:
    return {"services": {"web": {"image": "x", "x-stackctl": {k.replace("_", "-"): v for k, v in keys.items()}}}}


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


def golden(path: Path) -> Any:
    return Document.parse(path.read_bytes().decode(), path.name).data()


def test_it_accepts_every_golden_compose_file() -> None:
    assert FILES
    no_offenders(f"{path.name}: {wrong.message}" for path in FILES for wrong in VALIDATOR.iter_errors(golden(path)))


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"services": {}},
        {"services": {"web": {"image": "x"}}, "volumes": {"a": None}, "x-other": [1]},
        with_keys(email="a@b.cd", agree_tos=True, ca="letsencrypt", tls="modern", proxy="nginx", concurrency=1),
        with_keys(key_type="rsa", rsa_key_size=4096, profile="shortlived", ca_bundle="data/ca/bundle.pem"),
        with_keys(body_size="0", connect_timeout="1s", read_timeout="1m", send_timeout="1h"),
        with_keys(apps=[]),
        with_keys(apps=[{"domains": ["a.b"], "upstream": "h:1", "body-size": "1g"}]),
        with_service(domains=["a.b", "c.b"], port=65535),
        with_service(domains=["a.b"], port=1, read_timeout="1s"),
        with_service(domains=["a.b"], port=1, path="/x", strip=True, routes=[]),
        with_service(domains=["a.b"], port=1, path=["/x", "/y"], routes=[{"path": "/z", "deny": "all"}]),
        with_service(
            domains=["a.b"], port=1, routes=[{"match": {"header": {"x": None, "y": ["a"]}, "not": {"method": "PUT"}}}]
        ),
        with_keys(apps=[{"domains": ["a.b"], "routes": [{"path": "/", "redirect": "https://c.d/", "code": 301}]}]),
    ],
)
def test_both_accept_what_is_right(data: dict[str, Any]) -> None:
    assert reader_accepts(data)
    assert schema_accepts(data)


@pytest.mark.parametrize(
    "data",
    [
        with_keys(emial="a@b.cd"),
        {"x-stackctl": {"agree_tos": True}},
        with_keys(apps=[{"domains": ["a.b"], "upsteam": "h:1"}]),
        with_service(domains=["a.b"], port=1, prot=2),
        with_keys(domains=["a.b"]),
        with_service(domains=["a.b"]),
        with_service(port=1),
        with_service(domains=[], port=1),
        with_service(domains=["a.b"], port=0),
        with_service(domains=["a.b"], port=65536),
        with_service(domains=["a.b"], port="80"),
        with_keys(tls="old"),
        with_keys(key_type="dsa"),
        with_keys(rsa_key_size=1024),
        with_keys(concurrency=0),
        with_keys(concurrency=101),
        with_keys(profile="A b"),
        with_keys(agree_tos="yes"),
        with_keys(apps={}),
        {"x-stackctl": []},
        with_service(domains=["a.b"], port=1, path=[]),
        with_service(domains=["a.b"], port=1, path=5),
        with_service(domains=["a.b"], port=1, routes=[{"path": "/x", "redirect": "/y", "code": 304}]),
        with_service(domains=["a.b"], port=1, routes=[{"path": "/x", "answer": {"status": 600}}]),
        with_service(domains=["a.b"], port=1, routes=[{"path": "/x", "deny": "some"}]),
        with_service(domains=["a.b"], port=1, routes=[{"match": {"header": {"x": 1}}}]),
        with_service(domains=["a.b"], port=1, routes=[{"match": {"not": {"not": {"path": "/x"}}}}]),
    ],
)
def test_both_refuse_what_is_wrong(data: dict[str, Any]) -> None:
    assert not reader_accepts(data)
    assert not schema_accepts(data)


@given(st.dictionaries(st.sampled_from([*known_keys(ServiceKeys), "prot", "x"]), PORTS | TEXTS | DOMAINS, max_size=4))
def test_what_the_reader_accepts_of_a_service_the_schema_accepts(keys: dict[str, Any]) -> None:
    data = with_service(domains=["a.b"], port=80)
    data["services"]["web"]["x-stackctl"] |= keys
    if reader_accepts(data):
        assert schema_accepts(data)


@given(st.dictionaries(st.sampled_from(TOP_KEYS), PORTS | TEXTS | DOMAINS, max_size=4))
def test_what_the_reader_accepts_at_the_top_the_schema_accepts(keys: dict[str, Any]) -> None:
    if reader_accepts({"x-stackctl": keys}):
        assert schema_accepts({"x-stackctl": keys})


@given(st.text(min_size=1, max_size=12), st.sampled_from(["top", "service", "app"]))
def test_both_refuse_every_key_they_do_not_know(key: str, place: str) -> None:
    keys = known_keys({"top": StackKeys, "service": ServiceKeys, "app": AppKeys}[place])
    if key in keys:
        return
    data: dict[str, Any] = {
        "top": {"x-stackctl": {key: None}},
        "service": with_service(domains=["a.b"], port=1),
        "app": with_keys(apps=[{"domains": ["a.b"], "upstream": "h:1", key: None}]),
    }[place]
    if place == "service":
        data["services"]["web"]["x-stackctl"][key] = None
    assert not schema_accepts(data)
    assert not reader_accepts(data)


COMPOSE = {"$schema": "https://json-schema.org/draft/2020-12/schema", "required": ["services"]}
"""In the place of Compose's own, which is on the network."""


def editor_accepts(data: Any) -> bool:
    registry: Registry[Any] = Registry().with_resource(COMPOSE_SCHEMA, Resource.from_contents(COMPOSE))
    return Draft7Validator(editor_schema(PROXIES), registry=registry).is_valid(data)


def test_the_schema_for_editors_is_one_that_they_understand() -> None:
    Draft7Validator.check_schema(editor_schema(PROXIES))
    assert "$defs" not in json.dumps(editor_schema(PROXIES))


def test_an_editor_accepts_every_golden_compose_file() -> None:
    no_offenders(path.name for path in FILES if not editor_accepts(golden(path)))


def test_an_editor_refuses_what_is_wrong_by_either() -> None:
    assert editor_accepts(with_service(domains=["a.b"], port=1))
    assert not editor_accepts(with_service(domains=["a.b"], port=1, prot=2))
    assert not editor_accepts({**with_service(domains=["a.b"], port=1), **with_keys(emial="a@b.cd")})
    assert not editor_accepts({"x-stackctl": {}})


@pytest.mark.parametrize("shape", [StackKeys, ServiceKeys, AppKeys, RouteKeys, MatchKeys, AnswerKeys])
def test_every_key_is_described_or_an_enumeration(shape: Any) -> None:
    properties = SCHEMA["$defs"][shape.__name__]["properties"]
    assert set(properties) == set(known_keys(shape))
    plain = {"key-type", "rsa-key-size", "tls", "proxy"}
    for key, value in properties.items():
        assert "description" in json.dumps(value) or (key in plain and "enum" in value), key
