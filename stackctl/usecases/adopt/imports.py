"""The files of a foreign stack that the new one has too: kept files, and certificates that are not certbot's."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from stackctl.adopt.proposal import Handling, Proposal, ProposedSite, Remark
from stackctl.certs.given.pair import GivenPair, make_pair, refuse_uncovered
from stackctl.certs.given.parts import GivenFile, read_parts
from stackctl.certs.lineage import read_lineage
from stackctl.certs.shelf import Source
from stackctl.engine.adopt.foreign import Foreign
from stackctl.engine.context import Context
from stackctl.errors import EngineError, InputError
from stackctl.model.imported import certificate_path
from stackctl.model.wildcards import is_wildcard
from stackctl.plan.adopt import ImportCertificate

_LABELS = (b"CERTIFICATE", b"PRIVATE KEY")
_BLOCK = re.compile(rb"-----BEGIN (?P<label>[A-Z0-9 ]{1,60})-----.*?-----END (?P=label)-----", re.DOTALL)


def with_copies(proposal: Proposal, foreign: Foreign, folder: str) -> Proposal:
    """Return the proposal with a remark for each file and directory on the host that is copied from now on."""
    remarks = [
        Remark(Handling.CHANGED, f"it is copied to {folder}/{name}: edit the copy from now on", shown)
        for name, path in {**proposal.copies, **proposal.folders}.items()
        if (host := foreign.files.on_host(path)) is not None and (shown := foreign.files.shown(host))
    ]
    for path in proposal.folders.values():
        try:
            if foreign.inside:
                foreign.inside.tree(path)
        except EngineError as error:
            text = (
                f"{error.message}, and the new container does not have it: mount it from this host, or keep the image"
            )
            remarks.append(Remark(Handling.UNSUPPORTED, text))
    return replace(proposal, remarks=(*proposal.remarks, *remarks))


def with_imports(
    context: Context, foreign: Foreign, proposal: Proposal
) -> tuple[Proposal, tuple[ImportCertificate, ...]]:
    """Import the certificates that certbot does not manage, and say so in the Compose file where they do for the site.

    The key ``certificate`` names the files if they are in the stack's directory, as the user replaces them there. One
    that cannot be imported as it is, such as one without its intermediate, is served as before until it is due.
    """
    found: list[ImportCertificate] = []
    remarks: list[Remark] = []
    sites: list[ProposedSite] = []
    for site in proposal.sites:
        sites.append(site)
        if site.imported is None or site.imported_key is None or foreign.files.is_stackctls:
            continue
        chain, key = (_parts(foreign, path, label) for path, label in zip(_paths(site), _LABELS, strict=True))
        lineage = read_lineage(site.name, chain and chain[1], key and key[1], None)
        if chain is None or key is None or not lineage.usable:
            remarks.append(Remark(Handling.UNSUPPORTED, f"the certificate {site.imported}: {lineage.problem}", site.at))
            continue
        pair = _pair(site, chain, key, context.now())
        if pair is None:
            cause = "certbot does not manage it; it is served until it is due"
            found.append(ImportCertificate(site=site.name, chain=chain[1], key=key[1], cause=cause, scope=site.name))
            continue
        value = _named(context.directory.root, foreign, site)
        cause = f"certbot does not manage it: 'certificate: {value}'"
        found.append(
            ImportCertificate(
                site=site.name, chain=pair.chain, key=pair.key, source=Source.IMPORTED, cause=cause, scope=site.name
            )
        )
        sites[-1] = replace(site, certificate=value)
    return replace(proposal, sites=tuple(sites), remarks=(*proposal.remarks, *remarks)), tuple(found)


def _pair(site: ProposedSite, chain: tuple[str, bytes], key: tuple[str, bytes], now: datetime) -> GivenPair | None:
    """Return the certificate of a site as an import has it; None for one that would be refused."""
    if is_wildcard(site.name):
        return None
    try:
        pair = make_pair(read_parts([GivenFile(*chain), GivenFile(*key)], _no_passphrase), now)
        refuse_uncovered(pair, site.domains, site.name)
    except InputError:
        return None
    return pair


def _no_passphrase(name: str) -> bytes:
    raise InputError("the private key is encrypted", where=name)


def _named(root: Path, foreign: Foreign, site: ProposedSite) -> str:
    """Return the value of the key ``certificate``: the files, if both are in the stack's directory, or its own name."""
    paths = dict.fromkeys(foreign.files.on_host(path) for path in _paths(site))
    try:
        file, *key = (certificate_path(str(path.relative_to(root))) for path in paths if path is not None)
    except (ValueError, InputError):
        return f'{{imported: "{site.name}", fallback: acme}}'
    second = "".join(f', key: "{one}"' for one in key)
    return f'{{file: "{file}"{second}, fallback: acme}}'


def _paths(site: ProposedSite) -> tuple[str, str]:
    """Return where the old container has the chain and the key, which may be one file."""
    return site.imported or "", site.imported_key or ""


def _parts(foreign: Foreign, path: str, label: bytes) -> tuple[str, bytes] | None:
    """Return a file with its blocks of PEM that have ``label``; a file without any as it is."""
    found = foreign.files.read(path)
    if found is None:
        return None
    blocks = [one[0] for one in _BLOCK.finditer(found[1]) if label in one["label"]]
    return found[0], b"\n".join([*blocks, b""]) if blocks else found[1]
