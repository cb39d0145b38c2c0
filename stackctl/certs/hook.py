"""The deploy hook of certbot: the files in the stack that renew and copy certificates, without stackctl."""

from __future__ import annotations

import inspect
from collections.abc import Mapping

from stackctl.certs.issuer import copies, exports, local, pair
from stackctl.certs.issuer.program import FIND_PYTHON
from stackctl.model.layout import CERTBOT_CONF, HOOK, HOOK_PROGRAM, LOCAL_CA, REFUSED, STAMPS

_SCRIPT = f"""\
# Written by stackctl: the deploy hook of certbot, and the last step of each round of its loop.
# It renews what the local CA issued, and copies certificates to where the proxy reads them; the proxy reloads
# within a minute of a change.
{FIND_PYTHON}
if ! command -v "$1" >/dev/null; then
  echo "certbot: its image has no Python, so no certificate is copied for the proxy" | tee {REFUSED.mount} >&2
  exit 1
fi
exec "$@" {HOOK_PROGRAM.mount} {CERTBOT_CONF.mount} {STAMPS.mount} {LOCAL_CA.mount}
"""

_FUTURE = "from __future__ import annotations\n"
_MODULES = (pair, exports, copies, local)
_IMPORTS = tuple(f"from {module.__name__} import " for module in _MODULES)


def deploy_hook() -> Mapping[str, bytes]:
    """Return the files of the deploy hook, by their paths in the stack."""
    return {HOOK.path: _SCRIPT.encode(), HOOK_PROGRAM.path: _program().encode()}


def _program() -> str:
    """Return the text of the modules as one program: there is no stackctl in the container."""
    lines = [line for module in _MODULES for line in inspect.getsource(module).splitlines(keepends=True)]
    kept = "".join(line for line in lines if line != _FUTURE and not line.startswith(_IMPORTS))
    return f"# Written by stackctl.\n{_FUTURE}{kept}\n\nsys.exit(run())\n"
