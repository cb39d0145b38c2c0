"""Each key of the file is rendered by a proxy, or refused by its line: none is silently ignored."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import Struct

from stackctl.errors import EngineError
from stackctl.proxies.haproxy.keys import REFUSED, RENDERED
from stackctl.proxies.haproxy.proxy import Haproxy
from stackctl.proxies.registry import PROXIES
from stackctl.stackfile.schema import BLOCKS, LISTS, MAPPINGS, ServiceKeys, StackKeys, known_keys


def keys_below(shape: type[Struct]) -> Iterator[str]:
    """The keys of a shape and of what is inside; nothing inside of a key that HAProxy refuses."""
    for key in known_keys(shape):
        yield key
        inner = {**LISTS, **MAPPINGS, **BLOCKS}.get(key)
        if inner is not None and key not in REFUSED and inner is not shape:
            yield from keys_below(inner)


KEYS = {*keys_below(StackKeys), *keys_below(ServiceKeys)}


def test_haproxy_names_only_keys_that_exist() -> None:
    assert not RENDERED - KEYS
    assert not REFUSED.keys() - KEYS
    assert not RENDERED & REFUSED.keys()


@pytest.mark.parametrize("key", sorted(KEYS))
def test_each_key_is_rendered_or_refused(key: str) -> None:
    assert (Haproxy().refuses(key) is None) is (key in RENDERED)


def test_a_key_of_tomorrow_is_refused() -> None:
    assert Haproxy().refuses("a-key-of-tomorrow")
    assert [name for name, proxy in PROXIES.items() if not proxy.refuses("a-key-of-tomorrow")] == ["nginx"]


def test_an_image_of_another_proxy_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "sh").symlink_to("/bin/sh")
    for proxy in PROXIES.values():
        done = subprocess.run(
            proxy.version_command(), env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
        )
        with pytest.raises(EngineError, match=f"(?i)the proxy image has no {proxy.name}"):
            proxy.parse_version(done.stdout + done.stderr)
