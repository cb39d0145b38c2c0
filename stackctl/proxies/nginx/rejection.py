"""nginx: the meaning of the output of a failed ``nginx -t``."""

from __future__ import annotations

import re

from stackctl.model.layout import site_file, site_of_file
from stackctl.model.values import Domain
from stackctl.proxies.nginx.layout import CUSTOM, HEALTH, NGINX, SITES
from stackctl.proxies.nginx.shared import original_of
from stackctl.proxies.nginx.streams import stream_of
from stackctl.proxies.nginx.upstream import original_ca
from stackctl.proxies.proxy import Files, Rejection

_REJECTION = re.compile(
    r"\[(?:emerg|alert|crit)\] (?:\d+#\d+: )?(?P<message>.*?)(?: in (?P<path>/\S+?):(?P<line>\d+))?$", re.MULTILINE
)
_CA = re.compile(r"\.ca\d*\Z")
_QUOTED = re.compile(r'"([^"]+)"')
_NOT_FOUND = re.compile(r'host not found in (?P<what>[a-z_ ]*?) ?"(?P<host>[^":]+)(?::\d+)?"')

_FORMS = {
    "resolver": "write its address, or leave 'resolver' out: Docker's own resolver is set already",
    "syslog server": "write its address; the log of the container is in 'stackctl logs' without it",
}
_OF_THE_IMAGE = re.compile(
    r'open\(\) "[^"]*/((?:fastcgi|uwsgi|scgi)_params|fastcgi\.conf|proxy_params|mime\.types)" failed'
)
"""Files that images have in nginx's directory, and that guides include by their names alone."""

_DUPLICATE_ROOT = 'duplicate location "/"'
_ROOTS = "it must contain root certificates in PEM"
_ADDRESS = "write its address: nginx resolves this name only when it starts"


def explained(output: str, root: str, files: Files) -> Rejection:
    """Return what the first ``[emerg]`` line says, and which site it is about.

    nginx names no file if it finds the fault only after reading all of them, and a file of the image if one that is
    included is at fault: then the site is the only one whose files contain the quoted name, or the path, and the place
    is the only line of the user's. ``files`` are those below ``root``, which is relative to nginx's directory.
    """
    match = _REJECTION.search(output)
    if match is None:
        return Rejection(output.strip().splitlines()[-1] if output.strip() else "nginx -t failed without output")
    message, path, hint = match["message"], match["path"] or "", _hint(match["message"])
    prefix = f"{NGINX.mount}/{root}/"
    if path.startswith(prefix):
        inside = path.removeprefix(prefix)
        own = _own_root(files, inside) if _DUPLICATE_ROOT in message else None
        return Rejection(message, site_of(inside), own or f"{shown(inside)}:{match['line']}", hint)
    if path.startswith(f"{CUSTOM.mount}/"):
        name = path.removeprefix(f"{CUSTOM.mount}/")
        return Rejection(message, _only_site(files, name), f"{(CUSTOM / name).path}:{match['line']}", hint)
    ca = next((text for text in _QUOTED.findall(message) if text.startswith(prefix) and _CA.search(text)), None)
    if ca is not None:
        site = site_of(ca.removeprefix(prefix))
        original = original_ca(files.get(f"{SITES}/{site_file(site or '')}.conf", b""), ca.removeprefix(prefix))
        return Rejection(message.replace(ca, original or ca), site, original, _ROOTS)
    texts = [path] if path else _QUOTED.findall(message)
    text = next((text for text in texts if len(_sites(files, text)) == 1), None)
    whole = f"{message} in {path}:{match['line']}" if path else message
    if text is None:
        return Rejection(whole, hint=hint)
    return Rejection(whole, _only_site(files, text), _only_place(files, text), hint)


def site_of(path: str) -> Domain | None:
    """Return the DOMAIN of a file ``sites/DOMAIN.conf``, ``.redirect``, ``.custom``, ``.location`` or ``.parked``.

    That of ``health/DOMAIN.conf`` too; that of a file below ``streams/`` is the name of the stream.
    """
    folder, _, name = path.partition("/")
    if folder == SITES or (folder == HEALTH and name.endswith(".conf")):
        return Domain(site_of_file(name.rpartition(".")[0]))
    return stream_of(path)


def shown(path: str) -> str:
    """Return a file of a generation as the file to edit in the stack."""
    return f"{NGINX.path}/{original_of(path)}"


def _own_root(files: Files, path: str) -> str | None:
    """Return where the user's file of a site has the location that nginx meets again in stackctl's."""
    copy = f"{path.removesuffix('.conf')}.custom"
    lines = enumerate(files.get(copy, b"").split(b"\n"), 1)
    return next((f"{shown(copy)}:{number}" for number, line in lines if re.search(rb"\blocation\s+/\s*\{", line)), None)


def _only_site(files: Files, text: str) -> Domain | None:
    """Return the site whose files contain a text; None if there are several, or if a shared file does."""
    found = _sites(files, text)
    return found.pop() if len(found) == 1 else None


def _sites(files: Files, text: str) -> set[Domain | None]:
    return {site_of(path) for path, content in files.items() if text.encode() in content}


def _only_place(files: Files, text: str) -> str | None:
    """Return ``file:line`` of the only line of the user's own files that contains a text, comments left out."""
    found = [
        f"{shown(path)}:{number}"
        for path, content in files.items()
        if original_of(path) != path
        for number, line in enumerate(content.split(b"\n"), 1)
        if text.encode() in line.partition(b"#")[0]
    ]
    return found[0] if len(found) == 1 else None


def _hint(message: str) -> str | None:
    """Return the form to use for a host that nginx would resolve when it starts."""
    match = _NOT_FOUND.search(message)
    if match is None:
        return _of_files(message)
    host = match["host"]
    if match["what"] == "upstream":
        return (
            f"nginx must start while {host} does not resolve: give {host} a route in x-stackctl, use an image with "
            f"nginx 1.27.3 or newer, or write: set $host_of_app {host}; proxy_pass http://$host_of_app:PORT;"
        )
    return _FORMS.get(match["what"], _ADDRESS)


def _of_files(message: str) -> str | None:
    """Return what to do about a file of the image's, and about a location that the site has already."""
    if params := _OF_THE_IMAGE.search(message):
        return (
            f"the proxy's {NGINX.mount} is this stack's {NGINX.path}: copy {params[1]} out of the image into"
            f" {CUSTOM.path}, and write: include {CUSTOM.mount}/{params[1]};"
        )
    if _DUPLICATE_ROOT in message:
        return (
            f"'location /' is that of the route: write its directives, without the location, into {CUSTOM.path}/"
            "DOMAIN.location.conf"
        )
    return None
