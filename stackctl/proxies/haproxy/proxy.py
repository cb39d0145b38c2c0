"""HAProxy as a :class:`~stackctl.proxies.proxy.Proxy`: Debian's and the official image alike."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from stackctl.errors import EngineError
from stackctl.model.endpoints import PortBinding, web_listeners
from stackctl.model.layout import LIVE, MARKER_PATH, PROXY_MOUNTS, RENEWED, site_file
from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.model.values import Domain
from stackctl.proxies.custom import without_marks
from stackctl.proxies.haproxy import keys, log
from stackctl.proxies.haproxy.frontend import shared_files
from stackctl.proxies.haproxy.layout import (
    CERTS,
    FRONTEND,
    GENERATION,
    HAPROXY,
    LAYOUT,
    MAIN,
    MARKER_ROUTE,
    OWN,
    SECTIONS,
    SITES,
)
from stackctl.proxies.haproxy.pins import pinned, pins_in
from stackctl.proxies.haproxy.rates import first_counter
from stackctl.proxies.haproxy.rejection import explained, original_of, site_of
from stackctl.proxies.haproxy.site import site_files
from stackctl.proxies.haproxy.state import HEALTH, servers_health
from stackctl.proxies.haproxy.trace import about, tracer
from stackctl.proxies.health import ServersHealth
from stackctl.proxies.parked import PARKED, reasons_in
from stackctl.proxies.proxy import Files, Pins, Rejection, Reload, Rendered, SiteTls, Tracer, Version
from stackctl.proxies.tls import HYBRID_SINCE
from stackctl.proxies.trace import Advice, Misspoken
from stackctl.stackfile.services import HERE, signed
from stackctl.templates import render

OLDEST = (3, 0)
"""The first version that reads a certificate and its key from separate files by a name (``crt-store``)."""

PARTS = (MAIN, GENERATION, SITES, SECTIONS, FRONTEND)
"""What HAProxy reads, in order: certificates come before the frontend. Of a folder it reads each file that ends in
``.cfg``."""

_FIRST_LINE = f"# stackctl: serves {HAPROXY.mount}/live"
_VERSION = re.compile(r"HA-?Proxy version (\d+(?:\.\d+)*)")
_LIBRARY = re.compile(r"Running on SSL library version : OpenSSL (\d+)\.(\d+)\.")
_SMALL = "16m"


def _reload() -> Reload:
    steps = render("haproxy/reload.sh.j2", own=OWN, mount=HAPROXY.mount)
    return Reload(
        # The master process answers once the new workers serve. Sites that the container left out are loaded again.
        command=("sh", "-c", f'{steps}use "$etc/{LIVE}"; load || {{ printf "%s\\n" "$why" >&2; exit 1; }}'),
        signal="HUP",
        processes=(f"/bin/sh -c {_FIRST_LINE}",),
        # The old workers close their listeners when the new ones are ready.
        overlap=0.2,
        worker="haproxy -",
        leaving=None,
    )


class Haproxy:
    """The :class:`~stackctl.proxies.proxy.Proxy` for HAProxy."""

    name = "haproxy"
    default_image = "haproxy:3.2"
    layout = LAYOUT
    logged_request, logged_errors = staticmethod(log.logged_request), staticmethod(log.logged_errors)
    is_routine, concerns = staticmethod(log.is_routine), staticmethod(log.concerns)

    @property
    def reload(self) -> Reload:
        """See :meth:`Proxy.reload`."""
        return _reload()

    def service(self, name: str, image: str, http: PortBinding, https: PortBinding | None, base: str = HERE) -> str:
        """Return the Compose service: HAProxy with the loop that takes up renewed certificates."""
        script = render(
            "haproxy/serve.sh.j2",
            own=OWN,
            mount=HAPROXY.mount,
            renewed=RENEWED.mount,
            parts=" ".join(PARTS),
            certs=CERTS,
        )
        assert script.startswith(_FIRST_LINE), "by which its process is recognized"
        return signed(
            "compose/haproxy.yml.j2",
            name,
            image=image,
            listeners=web_listeners(http, https),
            base=base,
            mounts=(HAPROXY, *PROXY_MOUNTS),
            script=script.rstrip("\n"),
            tmpfs=[f"{path}:size={_SMALL}" for path in self.layout.tmpfs],
            healthcheck=render("haproxy/health.sh.j2", path=MARKER_PATH).rstrip("\n"),
        )

    def refuses(self, key: str) -> str | None:
        """See :meth:`Proxy.refuses`."""
        return keys.refuses(key)

    def render(
        self,
        stack: Stack,
        sites: Collection[Site],
        tls: Mapping[Domain, SiteTls],
        version: Version,
        custom: Mapping[str, bytes],
    ) -> Rendered:
        """Return ``haproxy.cfg`` with the maps, and the files below ``sites/``."""
        custom = without_marks(custom)
        counter = first_counter(custom)
        found = {site.name: site_files(stack, site, tls[site.name], custom, counter) for site in sites}
        return Rendered(shared_files(stack, tls, version, custom), found)

    def site_of(self, path: str) -> Domain | None:
        """Return the DOMAIN of a file below ``sites/``."""
        return site_of(path)

    def sites_in(self, files: Files) -> frozenset[Domain]:
        """Return the sites that have a file which HAProxy reads."""
        return frozenset(site for path in files if path.endswith(".cfg") and (site := site_of(path)) is not None)

    def parked_note(self, site: Domain, reason: str) -> Files:
        """Return ``sites/DOMAIN.parked``, which HAProxy does not read."""
        return {f"{SITES}/{site_file(site)}{PARKED}": f"{reason}\n".encode()}

    def parked(self, files: Files) -> Mapping[Domain, str]:
        """Return the content of each file ``.parked``."""
        return reasons_in(files, site_of)

    def about(self, files: Files, site: Domain) -> Files:
        """Return the files of ``site``, and its lines in the shared ones."""
        return about(files, site)

    def pinned(self, files: Files, pins: Pins, *, beside: bool = False) -> Files:
        """See :meth:`Proxy.pinned`."""
        return pinned(files, pins, beside=beside)

    def announced(self, live: Files, wanted: Files) -> Files:  # noqa: ARG002  (the protocol's)
        """Return ``live``: a new HAProxy process takes no addresses over from the one before."""
        return live

    def pins(self, files: Files) -> Pins:
        """See :meth:`Proxy.pins`."""
        return pins_in(files)

    def original_of(self, path: str) -> str:
        """Return ``custom/sections.cfg`` for its copy; all other files are written."""
        return original_of(path)

    def marker(self, generation: str) -> bytes:
        """Return ``generation.cfg``: the back end that answers with the id."""
        return render("haproxy/generation.cfg.j2", name=MARKER_ROUTE, generation=generation).encode()

    def test_command(self, root: str) -> list[str]:
        """Return ``haproxy -c``."""
        folder = f"{self.layout.mount}/{root}"
        return ["haproxy", "-c", *(word for part in PARTS for word in ("-f", f"{folder}/{part}"))]

    def start_command(self) -> list[str]:
        """Return ``haproxy``."""
        folder = f"{self.layout.mount}/{LIVE}"
        return ["haproxy", "-db", *(word for part in PARTS for word in ("-f", f"{folder}/{part}"))]

    def version_command(self) -> list[str]:
        """Return ``haproxy -vv``, by a shell: an image without HAProxy says so in its output."""
        return ["sh", "-c", "haproxy -vv"]

    def parse_version(self, output: str) -> Version:
        """Return the numbers of ``HAProxy version 3.2.26-1 2026/10/14``.

        Raises:
            EngineError: it is no HAProxy, too old, or was built without what the configuration needs.
        """
        match = _VERSION.search(output)
        if match is None:
            hint = f"check its 'image', such as {self.default_image}"
            raise EngineError(f"the proxy image has no HAProxy: {output.strip()[:200]!r}", hint=hint)
        version = tuple(int(part) for part in match[1].split("."))
        if version < OLDEST:
            raise EngineError(f"HAProxy {match[1]} is too old", hint="use an image with HAProxy 3.0 or newer")
        missing = [name for name in ("OPENSSL", "LUA") if f"+{name}" not in output and f"USE_{name}=1" not in output]
        if missing:
            raise EngineError(
                f"the image's HAProxy was built without {' and '.join(missing)}", hint="use another image"
            )
        return version

    def has_hybrid_keys(self, output: str) -> bool:
        """Return whether it runs with OpenSSL 3.5 or newer."""
        found = _LIBRARY.search(output)
        return found is not None and (int(found[1]), int(found[2])) >= HYBRID_SINCE

    def speaks_http3(self, output: str) -> bool:
        """Return whether it was built with QUIC, and with a TLS library that has all of it."""
        return "+QUIC " in output and "+QUIC_OPENSSL_COMPAT" not in output

    def needed_for_streams(self, output: str) -> str | None:  # noqa: ARG002  (it passes none on)
        """Return None."""
        return None

    def can_ask(self, output: str) -> bool:  # noqa: ARG002  (each version can)
        """Return True: HAProxy itself asks servers."""
        return True

    def health_command(self) -> Sequence[str]:
        """Return what asks HAProxy for the state of its servers."""
        return ("sh", "-c", f"{render('haproxy/reload.sh.j2', own=OWN, mount=HAPROXY.mount)}{HEALTH}")

    def servers_health(self, output: str) -> ServersHealth:
        """Return the state of the servers that it checks."""
        return servers_health(output)

    def explain(self, output: str, root: str, files: Files) -> Rejection:
        """Return the first alert, with the file it names."""
        return explained(output, root, files)

    def tracer(self, files: Files, name: str) -> Tracer:
        """Return a tracer that reads the maps and the back ends."""
        return tracer(files, name)

    def misspoken(self, log_text: str) -> Mapping[tuple[str, Misspoken], int]:  # noqa: ARG002  (it logs no such request)
        """Return nothing."""
        return {}

    def advice(self, message: str) -> Advice:
        """Return what to do about a failed request."""
        return log.advice(message)

    def read_by_workers(self, custom: Mapping[str, bytes]) -> tuple[str, ...]:  # noqa: ARG002  (all is read at the start)
        """Return nothing."""
        return ()

    def named_in(self, custom: Mapping[str, bytes]) -> Sequence[tuple[str, str]]:  # noqa: ARG002  (the protocol's)
        """Return nothing: the user's sections have servers of their own, which no deploy replaces."""
        return ()
