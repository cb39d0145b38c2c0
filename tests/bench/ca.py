"""Start a Pebble separate from the lab's: a new one for every run, so that the runs are independent."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import pebble
from tests.bench import lab

API, MANAGEMENT, DNS_MANAGEMENT = 24000, 25000, 28055


@dataclass(frozen=True)
class Ca:
    """A running CA: its ACME directory as seen from containers and from this host, and the root certificates."""

    directory: str
    local: str
    bundle: Path
    root: str


@contextmanager
def fresh_ca(address: str) -> Iterator[Ca]:
    """Start a new CA whose resolver returns ``address`` for every name.

    One profile (Pebble takes any of several at random), no artificial delays, no refused nonces
    (it refuses one in twenty at random by default, which hits a run or not), no reused authorizations.
    """
    bridge = lab.gateway()
    files = lab.OUT / "ca"
    files.mkdir(parents=True, exist_ok=True)
    pebble.write_keys(files, bridge)
    only = {"default": pebble.PROFILES["default"]}
    (files / "pebble.json").write_text(pebble.configuration("/ca", API, MANAGEMENT, profiles=only))
    quiet = ("-defaultIPv6", "", "-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", "")
    settings = ("PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0", "PEBBLE_AUTHZREUSE=0")
    with ExitStack() as stack:
        answering = ("-defaultIPv4", address, "-dnsserver", f":{lab.DNS}", "-management", f":{DNS_MANAGEMENT}")
        stack.enter_context(lab.container("dns", pebble.IMAGE, "pebble-challtestsrv", *answering, *quiet))
        options = [part for setting in settings for part in ("--env", setting)]
        command = ("pebble", "-config", "/ca/pebble.json", "-dnsserver", f"127.0.0.1:{lab.DNS}")
        stack.enter_context(lab.container("pebble", *options, "--volume", f"{files}:/ca:ro", pebble.IMAGE, *command))
        context = lab.trusting((files / "ca.pem").read_text())
        lab.wait_until(lambda: _fetch(API, "/dir", context), "Pebble answers")
        lab.wait_until(lambda: lab.plain_status("127.0.0.1", DNS_MANAGEMENT), "the resolver answers")
        yield Ca(
            f"https://{bridge}:{API}/dir",
            f"https://127.0.0.1:{API}/dir",
            files / "ca.pem",
            _fetch(MANAGEMENT, "/roots/0", context),
        )


def point(names: list[str], address: str) -> None:
    """Change the address that the CA's resolver returns for ``names``."""
    for name in names:
        connection = http.client.HTTPConnection("127.0.0.1", DNS_MANAGEMENT, timeout=5)
        try:
            connection.request("POST", "/add-a", json.dumps({"host": name, "addresses": [address]}))
            connection.getresponse().read()
        finally:
            connection.close()


def _fetch(port: int, path: str, context: ssl.SSLContext) -> str:
    connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()
