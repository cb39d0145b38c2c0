"""Only the package of a proxy knows which proxy it is."""

from __future__ import annotations

import io
import re
import tokenize

from tests.offenders import no_offenders
from tests.unit.test_layers import MODULES, in_any

NGINX = [
    "proxies.nginx",
    "adapters.fakes.nginx",
    # 'adopt' reads stacks of nginx, whatever their proxy becomes.
    "adopt",
    "plan.adopt",
    "engine.adopt",
    "usecases.adopt",
    "adapters.nginx_reader",
    "cli.commands.adopt",
    "cli.views.adopt",
]

ALLOWED = {
    "proxies.registry": "registers it, and makes it the default",
    "model.stack": "the value of a file without the key 'proxy'",
    "stackfile.schema": "the same default, and descriptions that are in the files of existing stacks",
    "model.values": "an image as an example",
    "model.access": "paths of auth services, which they name after the proxy that asks",
    "adapters.fakes.engine": "the program it imitates unless it is given another",
    "cli.commands.init": "the option --nginx-image",
    "cli.commands.rollback": "the help names the folder as users know it, while there is one proxy",
}
"""Modules that name nginx all the same, and why."""


def names_it(text: str) -> bool:
    """Whether code or a string, docstrings included, has the word; comments may."""
    kinds = {tokenize.NAME, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return any(token.type in kinds and re.search("nginx", token.string, re.IGNORECASE) for token in tokens)


def test_no_other_module_names_nginx() -> None:
    found = {module.name for module in MODULES if not in_any(module, NGINX) and names_it(module.text)}
    no_offenders(found - ALLOWED.keys())
    assert found == ALLOWED.keys(), "each exception is still needed"
