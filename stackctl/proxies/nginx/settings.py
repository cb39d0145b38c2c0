"""nginx: sizes, times and buffers of a site, and of a location with others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stackctl.model.routing import Site
from stackctl.model.tuning import Tuning
from stackctl.proxies.nginx.directives import first
from stackctl.proxies.nginx.own import Directives, buffer_lines, sets_buffers

TUNED = {
    "client_max_body_size": "body_size",
    "proxy_connect_timeout": "connect_timeout",
    "proxy_read_timeout": "read_timeout",
    "proxy_send_timeout": "send_timeout",
}
"""Directives of nginx, and the settings of which they have the value."""

BUFFERS = ("proxy_buffering", "proxy_request_buffering")


def grpc_lines(tuning: Tuning) -> Iterator[str]:
    """Yield the times of a location whose app speaks gRPC: nginx has directives of their own for it."""
    yield f"grpc_connect_timeout {tuning.connect_timeout};"
    yield f"grpc_read_timeout {tuning.read_timeout};"
    yield f"grpc_send_timeout {tuning.send_timeout};"


def tuning_lines(tuning: Tuning, around: Tuning) -> Iterator[str]:
    """Yield the settings of a route that differ from those of its site."""
    for directive, name in TUNED.items():
        value = getattr(tuning, name)
        if value != getattr(around, name):
            yield f"{directive} {value};"
    if tuning.buffering is not around.buffering:
        yield from (f"{directive} {'on' if tuning.buffering else 'off'};" for directive in BUFFERS)


def settings(site: Site, own: Sequence[Directives], *, stores: bool) -> list[str]:
    """Return the settings of a site's servers; one that the user sets there is left to the user.

    ``stores`` is whether responses must be buffered, as the user stores them.
    """
    defaults = Tuning()
    http, server, _ = own
    tuned = {name: (getattr(site.tuning, field), getattr(defaults, field)) for name, field in TUNED.items()}
    if site.tuning.buffering:
        tuned |= dict.fromkeys(BUFFERS, ("on", "off"))
    lines = [
        f"{name} {value};"
        for name, (value, default) in tuned.items()
        # What http.conf sets is a default too, where the Compose file has no other value.
        if first(server, name) is None and (value != default or first(http, name) is None)
    ]
    if stores and not site.tuning.buffering and first(server, "proxy_buffering") is None:
        lines.append("proxy_buffering on;")
    return lines + (buffer_lines(server) if sets_buffers(server) else [])
