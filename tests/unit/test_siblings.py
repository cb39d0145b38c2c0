from __future__ import annotations

from typing import Any

import pytest
from ruamel.yaml import YAML

from stackctl.stackfile.siblings import Siblings, siblings

WHOLE = """\
include:
  - more.yml
  - path: [a.yml, b.yml]
    env_file: [a.env]
configs:
  site: {file: ./site.conf}
  outside: {external: true}
secrets:
  token:
    file: secrets/token
volumes: {db: , cache: {}}
services:
  web:
    env_file: web.env
    label_file: web.labels
    build: ./web
    volumes: ["./html:/html:ro", "db:/var/lib/db", "/anonymous", "~/x:/x"]
  job:
    env_file: [one.env, {path: two.env, required: false}]
    extends: {file: base.yml, service: job}
    build: {dockerfile: Dockerfile.job}
    volumes:
      - {type: bind, source: /srv/data, target: /data}
      - {type: volume, source: cache, target: /cache}
  empty:
"""


def test_everything_that_a_compose_file_names() -> None:
    assert siblings(YAML(typ="safe").load(WHOLE)) == Siblings(
        read=("a.env", "./site.conf", "secrets/token", "web.env", "web.labels", "one.env", "two.env"),
        compose=("more.yml", "a.yml", "b.yml", "base.yml"),
        volumes=("db", "cache"),
        builds=(("./web", "web"), (".", "job")),
        mounts=(("./html", "web"), ("~/x", "web"), ("/srv/data", "job")),
    )


@pytest.mark.parametrize(
    "data",
    [
        *(None, [], "text", {}, {"services": []}, {"services": {"a": "b"}}, {"include": "x"}, {"secrets": ["x"]}),
        {"services": {"a": {"env_file": 5, "volumes": {}, "extends": "b", "build": None}}},
    ],
)
def test_what_compose_would_not_accept_names_nothing(data: Any) -> None:
    assert siblings(data) == Siblings()
