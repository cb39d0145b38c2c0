"""Store a copy of a certificate for a name that its next one does not have, or until there is a next one."""

from __future__ import annotations

from stackctl.adapters.disk.directory import StackDirectory
from stackctl.certs.issuer.copies import LINEAGES, STORED
from stackctl.certs.issuer.pair import PairFiles, pair_problem
from stackctl.certs.shelf import Source
from stackctl.errors import HostError
from stackctl.model.values import Domain


def hand_over(directory: StackDirectory, site: str, name: str) -> None:
    """Store the imported certificate ``name`` for ``site``, until that has another one.

    Raises:
        HostError: it cannot be served.
    """
    _keep(directory, directory.stored_files(name), STORED, name, site)


def keep_lineage(directory: StackDirectory, name: Domain, lineage: str) -> None:
    """Store a copy of ``lineage`` for ``name``.

    Raises:
        HostError: the lineage cannot be served.
    """
    _keep(directory, directory.certbot_tree().pair(lineage), LINEAGES, lineage, name)


def _keep(directory: StackDirectory, pair: PairFiles, kind: str, name: str, site: str) -> None:
    problem = pair_problem(pair.fullchain, pair.privkey)
    if problem is not None:  # then its last good copy is served
        pair = directory.pairs.read(kind, name)
    if pair.fullchain is None or pair.privkey is None:
        raise HostError(f"the certificate {name} cannot be kept for {site}: {problem}", hint="run 'stackctl up'")
    directory.store_pair(site, pair.fullchain, pair.privkey, Source.KEPT)
