"""nginx, as the fake engine imitates it: of ``nginx -t`` two faults, in nginx's own words, and what a start loads."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from stackctl.certs.lineage import Certificate, read_certificate
from stackctl.observed.ports import Output

_SERVER = re.compile(r"^server \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)


def nginx_test(folder: Path, shown: str, on_host: Callable[[str], Path]) -> Output:
    """Test the configuration in ``folder``, which the container sees at ``shown``.

    A line with ``not_a_directive`` is refused, and so is a certificate file that is not there;
    ``on_host`` finds a path of the container's on this host.
    """
    if not (folder / "nginx.conf").is_file():
        return Output(1, f'nginx: [emerg] open() "{shown}/nginx.conf" failed (2: No such file)\n')
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        for number, line in enumerate(file.read_text().splitlines(), 1):
            named = re.match(r"\s*ssl_certificate(?:_key)? ([^;]+);", line)
            if "not_a_directive" in line:
                at = f"{shown}/{file.relative_to(folder)}:{number}"
                return Output(1, f'nginx: [emerg] unknown directive "not_a_directive" in {at}\n')
            if named and not on_host(named[1]).is_file():
                reason = "BIO_new_file() failed (SSL: No such file or directory)"
                return Output(1, f'nginx: [emerg] cannot load certificate "{named[1]}": {reason}\n')
    return Output(0, "")


def loaded_certificates(live: Path, on_host: Callable[[str], Path]) -> dict[str, Certificate]:
    """The certificate that each name is served with once nginx has loaded ``live``."""
    loaded: dict[str, Certificate] = {}
    for site in sorted((live / "sites").glob("*.conf")):
        for server in _SERVER.findall(site.read_text()):
            path = re.search(r"ssl_certificate ([^;]+);", server)
            names = re.search(r"server_name ([^;]+);", server)
            if path and names:
                leaf = read_certificate(on_host(path[1]).read_bytes())
                loaded = {**dict.fromkeys(names[1].split(), leaf), **loaded}
    return loaded
