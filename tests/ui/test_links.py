"""How the page is opened, here and from afar."""

from __future__ import annotations

import pytest

from stackctl.ui.links import Place, is_desktop, tunnel

SSH = {"SSH_CONNECTION": "192.0.2.7 51000 198.51.100.4 22"}


@pytest.mark.parametrize(
    ("place", "environ", "line"),
    [
        (Place(port=8976), SSH, "ssh -N -L 8976:127.0.0.1:8976 ops@198.51.100.4"),
        (
            Place("::1", 8976),
            {"SSH_CONNECTION": "192.0.2.7 51000 2001:db8::1 2222"},
            "ssh -N -p 2222 -L '8976:[::1]:8976' ops@2001:db8::1",
        ),
        (Place(socket="/run/user/1000/stackctl-ui-x/ui.sock"), {}, None),
        (Place(port=1), {"SSH_CONNECTION": "odd"}, "ssh -N -L 1:127.0.0.1:1 ops@server"),
    ],
)
def test_the_tunnel_is_ready_to_be_pasted(place: Place, environ: dict[str, str], line: str | None) -> None:
    wanted = line or f"ssh -N -L 8976:{place.socket} ops@server"
    assert tunnel(place, environ, "ops", "server") == wanted


def test_the_link_of_a_socket_is_that_of_the_tunnel() -> None:
    assert Place(socket="/run/x").link("t") == "http://localhost:8976/login?t=t"
    assert Place("::1", 80).link("t") == "http://[::1]:80/login?t=t"


@pytest.mark.parametrize(
    ("environ", "platform", "is_one"),
    [
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({"DISPLAY": ":0", **SSH}, "linux", False),
        ({"DISPLAY": ""}, "linux", False),
        ({}, "darwin", True),
        (SSH, "darwin", False),
    ],
)
def test_a_browser_is_opened_on_a_desktop_only(environ: dict[str, str], platform: str, is_one: bool) -> None:
    assert is_desktop(environ, platform) is is_one
