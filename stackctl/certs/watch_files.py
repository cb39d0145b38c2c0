"""The files by which metrics and alerts go on without stackctl: a program for the certbot container, and its settings.

The program is the text of the modules in :mod:`~stackctl.certs.watch`, and of those that it uses of the issuer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from importlib import resources

from stackctl import __version__
from stackctl.certs.dummy import ISSUER
from stackctl.certs.issuer.local import ORGANIZATION
from stackctl.certs.issuer.program import FIND_PYTHON
from stackctl.certs.shelf import only_imported
from stackctl.certs.watch.settings import Receiver, Settings, Watched, written
from stackctl.model.endpoints import HTTP_PORT, HTTPS_PORT
from stackctl.model.layout import (
    CA_BUNDLE,
    CERTBOT_CONF,
    MARKER_HOST,
    MARKER_PATH,
    METRICS_FILE,
    PROXY_MOUNT,
    STAMPS,
    WATCH_PROGRAM,
    WATCH_SCRIPT,
    WATCH_SETTINGS,
    WATCH_STATE,
    site_file,
)
from stackctl.model.stack import Stack
from stackctl.model.wildcards import sample

_PLACES = (CERTBOT_CONF.mount, STAMPS.mount, PROXY_MOUNT, METRICS_FILE.mount)
_OWN = (WATCH_SETTINGS.mount, WATCH_STATE.mount, CA_BUNDLE.mount)

_SCRIPT = f"""\
# Written by stackctl: writes metrics, and sends alerts. The renewal loop runs it, and waits for none of it.
# Usage: look, round CODE, or test.
words=$*
{FIND_PYTHON}
command -v "$1" >/dev/null || exit 1
set +f
exec "$@" -B {WATCH_PROGRAM.mount} {" ".join(_PLACES)} {" ".join(_OWN)} $words
"""

_MAIN = """\
import sys

from stackctl.certs.watch.program import run

sys.exit(run(sys.argv[1:]))
"""

_MODULES = {
    "stackctl.certs.issuer": ("copies", "exports", "local", "pair"),
    "stackctl.certs.watch": (
        "ends",
        "exposition",
        "failed",
        "judge",
        "look",
        "measure",
        "news",
        "program",
        "send",
        "settings",
        "state",
    ),
}
"""What the program is made of."""


def watch_files(stack: Stack, project: str) -> Mapping[str, bytes]:
    """Return the files, by their paths in the stack; that with the settings is for its owner only."""
    texts = {"__main__.py": _MAIN, "stackctl/__init__.py": "", "stackctl/certs/__init__.py": ""}
    for package, names in _MODULES.items():
        folder = package.replace(".", "/")
        texts[f"{folder}/__init__.py"] = ""
        texts |= {f"{folder}/{name}.py": _text(package, name) for name in names}
    program = {f"{WATCH_PROGRAM.path}/{path}": text for path, text in texts.items()}
    files = {WATCH_SCRIPT.path: _SCRIPT, WATCH_SETTINGS.path: written(watch_settings(stack, project)), **program}
    return {path: text.encode() for path, text in sorted(files.items())}


def watch_settings(stack: Stack, project: str) -> Settings:
    """Return what the program gets to know of a stack."""
    return Settings(
        name=project,
        version=__version__,
        sites=tuple(
            Watched(site.name, sample(site.name), site_file(site.name), site.lineage, only_imported(site))
            for site in stack.sites
        ),
        proxy=stack.proxy.service,
        https=None if stack.proxy.https is None else HTTPS_PORT,
        http=HTTP_PORT,
        framed=stack.behind is not None and stack.behind.framed,
        marker=(MARKER_PATH, MARKER_HOST),
        dummy=ISSUER,
        local=ORGANIZATION,
        receivers=tuple(Receiver(**asdict(one)) for one in stack.alerts.receivers),
        ping=stack.alerts.ping,
    )


def _text(package: str, name: str) -> str:
    return (resources.files(package) / f"{name}.py").read_text(encoding="utf-8")
