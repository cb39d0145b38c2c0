"""``http3: true``: the UDP port is published, the sites speak it, and ``doctor`` asks it."""

from __future__ import annotations

import pytest

from stackctl.errors import StackfileError
from stackctl.stackfile.stream_ports import NOTE_HTTP3
from tests.usecases.world import World, done

ONE = "one.example.com"


def turned_on(world: World) -> None:
    world.edit("  agree-tos: true\n", "  agree-tos: true\n  http3: true\n")
    done(world.up())


def test_the_port_is_published_and_the_sites_listen_until_the_key_is_gone(site: World) -> None:
    before = site.text
    turned_on(site)
    assert site.text == before.replace("  agree-tos: true\n", "  agree-tos: true\n  http3: true\n").replace(
        '      - "443:443"\n', f'      - "443:443"\n      - "443:443/udp" {NOTE_HTTP3}\n'
    )
    live = site.root / "nginx/live"
    assert "listen 443 quic;" in (live / "snippets/https.conf").read_text()
    assert (live / "nginx.conf").read_text().count("reuseport") == 2, "once for each family"
    assert "Alt-Svc" in (live / f"sites/{ONE}.conf").read_text()
    assert not site.up().plan, "nothing is left to do"
    site.edit("  http3: true\n", "")
    done(site.up())
    assert site.text == before
    assert "quic" not in (live / "snippets/https.conf").read_text()


def test_an_image_without_it_is_refused_before_anything_changes(stack: World) -> None:
    stack.fake.proxy.built = "--with-stream"  # type: ignore[attr-defined]
    stack.edit("  agree-tos: true\n", "  agree-tos: true\n  http3: true\n")
    before = stack.tree()
    with pytest.raises(StackfileError, match="cannot speak HTTP/3") as caught:
        stack.up()
    assert caught.value.where == stack.line_of("http3: true")
    assert stack.tree() == before


def test_doctor_asks_the_port(site: World) -> None:
    turned_on(site)
    assert site.doctor()["host"]["http3"] == "unknown"
    site.fake.faults.drops_udp = True
    assert site.doctor()["host"]["http3"] == "wrong"
