"""nginx as a :class:`~stackctl.proxies.proxy.Proxy`: Debian's and the official image alike."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from stackctl.errors import EngineError
from stackctl.model.endpoints import PortBinding, web_listeners
from stackctl.model.layout import LIVE, MARKER_PATH, PROXY_MOUNTS, RENEWED, site_file
from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.model.streams import is_port
from stackctl.model.values import Domain
from stackctl.proxies.custom import without_marks
from stackctl.proxies.health import ServersHealth
from stackctl.proxies.nginx import behind, log
from stackctl.proxies.nginx.access import COPIES_USERS
from stackctl.proxies.nginx.advice import advice
from stackctl.proxies.nginx.ahead import announced
from stackctl.proxies.nginx.capabilities import OLDEST, Capabilities
from stackctl.proxies.nginx.custom import all_groups, hosts_in, named_in
from stackctl.proxies.nginx.health_state import COMMAND, servers_health
from stackctl.proxies.nginx.layout import (
    CUSTOM,
    CUSTOM_HTTP,
    HEALTH,
    LAYOUT,
    MAIN,
    NGINX,
    OWN,
    SITES,
    SMALL,
    TEMPORARY,
    custom_location,
    custom_site,
)
from stackctl.proxies.nginx.pins import pinned, pins_in
from stackctl.proxies.nginx.reader import LiveTree
from stackctl.proxies.nginx.rejection import explained, shown, site_of
from stackctl.proxies.nginx.shared import original_of, shared_files
from stackctl.proxies.nginx.site import site_files
from stackctl.proxies.nginx.snippets import own_directives
from stackctl.proxies.nginx.streams import (
    MODULE,
    file_of,
    needed_for_streams,
    refuse_clashes,
    stream_files,
)
from stackctl.proxies.nginx.trace import trace
from stackctl.proxies.nginx.upstream import ca_files
from stackctl.proxies.parked import PARKED, reasons_in
from stackctl.proxies.proxy import Files, Pins, Rejection, Reload, Rendered, SiteTls, Tracer, Version
from stackctl.proxies.tls import HYBRID_SINCE
from stackctl.proxies.trace import Advice
from stackctl.stackfile.services import HERE, signed
from stackctl.templates import render

_PID = "/run/nginx.pid"
_FIRST_LINE = f"# stackctl: serves {NGINX.mount}/live"

_LOAD_ALL = f"""[ "$(head -n 1 {OWN}/conf/.names 2>/dev/null)" = "$(readlink -f {NGINX.mount}/{LIVE})" ] ||
  [ ! -e {OWN}/conf ] || ln -sfn {NGINX.mount} {OWN}/conf"""

_RELOAD = Reload(
    # New workers first; old ones finish what they serve. Sites that the container left out are loaded again.
    command=("sh", "-c", f"{COPIES_USERS}; {_LOAD_ALL}; exec nginx -e /dev/stderr -s reload"),
    # What the command sends after it has read every file once more.
    signal="HUP",
    # The container's program, or nginx itself in a container of an earlier version.
    processes=(f"/bin/sh -c {_FIRST_LINE}", "nginx: master process"),
    # Old workers accept connections for 100 ms next to new ones, or longer on a busy host.
    overlap=0.12,
    worker="nginx: worker process",
    leaving="is shutting down",
)
_VERSION = re.compile(r"nginx/(\d+(?:\.\d+)*)")
_LIBRARY = re.compile(r"\bOpenSSL (\d+)\.(\d+)\.")
_ASKS = "has what asks servers"
_VERSION_SCRIPT = f"""\
nginx -V || exit
ls "$(nginx -V 2>&1 | sed -n 's/.*--modules-path=\\([^ ]*\\).*/\\1/p')/{MODULE}"
curl --parallel-immediate --version >/dev/null && getent -A ahostsv4 0.0.0.1 | grep -q STREAM &&
  awk 'BEGIN {{ exit }}' && cmp /dev/null /dev/null && echo '{_ASKS}'
exit 0"""
_PASSWORDS = re.compile(
    rf"""^[ \t]*auth_basic_user_file\s+["']?{re.escape(CUSTOM.mount)}/([^/\s"';$]+)["']?\s*;""", re.MULTILINE
)


class Nginx:
    """The :class:`~stackctl.proxies.proxy.Proxy` for nginx."""

    name = "nginx"
    default_image = "nginx:1.30"
    layout = LAYOUT
    reload = _RELOAD
    announced, named_in = staticmethod(announced), staticmethod(named_in)
    logged_request, logged_errors = staticmethod(log.logged_request), staticmethod(log.logged_errors)
    misspoken, is_routine = staticmethod(log.misspoken), staticmethod(log.is_routine)
    concerns = staticmethod(log.concerns)

    def service(self, name: str, image: str, http: PortBinding, https: PortBinding | None, base: str = HERE) -> str:
        """Return the Compose service: nginx with the loop that takes up renewed certificates."""
        return signed(
            "compose/nginx.yml.j2",
            name,
            image=image,
            listeners=web_listeners(http, https),
            base=base,
            mounts=(NGINX, *PROXY_MOUNTS),
            script=_script(),
            tmpfs=[f"{path}:size={SMALL}" for path in self.layout.tmpfs if path != TEMPORARY],
            temporary=TEMPORARY,
            generation_path=MARKER_PATH,
        )

    def refuses(self, key: str) -> str | None:  # noqa: ARG002  (it renders all)
        """Return None."""
        return None

    def render(
        self,
        stack: Stack,
        sites: Collection[Site],
        tls: Mapping[Domain, SiteTls],
        version: Version,
        custom: Mapping[str, bytes],
    ) -> Rendered:
        """Return ``nginx.conf`` and the snippets, and the files below ``sites/``."""
        custom = without_marks(custom)
        able = Capabilities.of(version)
        refuse_clashes(stack, custom, able)
        behind.refuse_clashes(stack, custom, able)
        http = custom.get(CUSTOM_HTTP)
        groups, around = all_groups(stack, http), own_directives(http, custom)
        return Rendered(
            shared_files(stack, version, custom=http, own_hosts=hosts_in(custom), files=custom),
            {
                site.name: site_files(
                    stack,
                    site,
                    tls[site.name],
                    version,
                    custom=custom.get(custom_site(site.name)),
                    location=custom.get(custom_location(site.name)),
                    http=around,
                    groups=groups,
                    cas=ca_files(site, custom),
                    files=custom,
                )
                for site in sites
            },
            {stream.name: stream_files(stack, stream, able) for stream in stack.streams},
        )

    def site_of(self, path: str) -> Domain | None:
        """Return the DOMAIN of a file ``sites/DOMAIN.conf``, ``.redirect``, ``.custom``, ``.location`` or ``.ca``.

        That of a file below ``streams/`` is the name of the stream.
        """
        return site_of(path)

    def sites_in(self, files: Files) -> frozenset[Domain]:
        """Return the sites that have a file which nginx reads."""
        return frozenset(
            site for path in files if not path.endswith(PARKED) and (site := self.site_of(path)) is not None
        )

    def parked_note(self, site: Domain, reason: str) -> Files:
        """Return ``sites/DOMAIN.parked``, which no ``include`` matches; that of a port is below ``streams/``."""
        path = file_of(site) if is_port(site) else f"{SITES}/{site_file(site)}"
        return {f"{path}{PARKED}": f"{reason}\n".encode()}

    def parked(self, files: Files) -> Mapping[Domain, str]:
        """Return the content of each file ``.parked``."""
        return reasons_in(files, site_of)

    def about(self, files: Files, site: Domain) -> Files:
        """Return the files of ``site``."""
        return {path: body for path, body in files.items() if self.site_of(path) == site}

    def pinned(self, files: Files, pins: Pins, *, beside: bool = False) -> Files:
        """See :meth:`Proxy.pinned`."""
        return pinned(files, pins, beside=beside)

    def pins(self, files: Files) -> Pins:
        """See :meth:`Proxy.pins`."""
        return pins_in(files)

    def original_of(self, path: str) -> str:
        """Return the file below ``custom/`` that ``path`` is a copy of; a written file is its own source."""
        return original_of(path)

    def marker(self, generation: str) -> bytes:
        """Return ``snippets/generation.conf``."""
        return render("nginx/snippets/generation.conf.j2", path=MARKER_PATH, generation=generation).encode()

    def test_command(self, root: str) -> list[str]:
        """Return ``nginx -t`` of another configuration file; its includes are relative to it."""
        return ["nginx", "-e", "/dev/stderr", "-t", "-q", "-c", f"{self.layout.mount}/{root}/{MAIN}"]

    def start_command(self) -> list[str]:
        """Return ``nginx``."""
        return ["nginx", "-e", "/dev/stderr", "-g", "daemon off;"]

    def version_command(self) -> list[str]:
        """Return ``nginx -V``, which also prints the TLS library, and looks for what streams and checks need."""
        return ["sh", "-c", _VERSION_SCRIPT]

    def parse_version(self, output: str) -> Version:
        """Return the numbers of ``nginx version: nginx/1.30.4``."""
        match = _VERSION.search(output)
        if match is None:
            hint = f"check its 'image', such as {self.default_image}"
            raise EngineError(f"the proxy image has no nginx: {output.strip()!r}", hint=hint)
        version = tuple(int(part) for part in match[1].split("."))
        if version < OLDEST:
            raise EngineError(f"nginx {match[1]} is too old", hint="use an image with nginx 1.19.5 or newer")
        return version

    def has_hybrid_keys(self, output: str) -> bool:
        """Return whether it runs with OpenSSL 3.5 or newer."""
        found = _LIBRARY.findall(output)
        # "built with OpenSSL 3.4.1 (running with OpenSSL 3.5.0)": the last one counts.
        return bool(found) and tuple(map(int, found[-1])) >= HYBRID_SINCE

    def needed_for_streams(self, output: str) -> str | None:
        """Return the file of the module, where streams are not built in."""
        return needed_for_streams(output)

    def can_ask(self, output: str) -> bool:
        """Return whether curl and what else the program for health checks needs are there."""
        return _ASKS in output

    def speaks_http3(self, output: str) -> bool:
        """Return whether it is built with the module for it, which is there since 1.25."""
        return "--with-http_v3_module" in output

    def health_command(self) -> Sequence[str]:
        """Return what prints the file that the container's program writes."""
        return COMMAND

    def servers_health(self, output: str) -> ServersHealth:
        """Return its rows."""
        return servers_health(output)

    def explain(self, output: str, root: str, files: Files) -> Rejection:
        """Return the first ``[emerg]`` line, with the file it names."""
        return explained(output, root, files)

    def tracer(self, files: Files, name: str) -> Tracer:
        """Return a tracer that reads the files that can answer for ``name``."""
        tree = LiveTree(files, self.layout.mount, shown, name).directives()
        return lambda request, port: trace(tree, name, request, port)

    def advice(self, message: str) -> Advice:
        """Return what to do about a message of its error log."""
        return advice(message)

    def read_by_workers(self, custom: Mapping[str, bytes]) -> tuple[str, ...]:
        """See :meth:`Proxy.read_by_workers`."""
        texts = (content.decode("utf-8", "replace") for content in custom.values())
        return tuple(dict.fromkeys(name for text in texts for name in _PASSWORDS.findall(text)))


def _script() -> str:
    """Return the program of the container, for any POSIX shell."""
    values = {
        "mount": NGINX.mount,
        "own": OWN,
        "pid": _PID,
        "renewed": RENEWED.mount,
        "watch": f"{LIVE}/{HEALTH}/watch.sh",
        "known": HEALTH,
    }
    script = render("nginx/serve.sh.j2", kinds="conf redirect custom location sni", copies_users=COPIES_USERS, **values)
    assert script.startswith(_FIRST_LINE), "by which its process is recognized"
    return script.rstrip("\n")
