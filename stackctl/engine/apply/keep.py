"""Store a copy of a lineage for a name that its next certificate does not have."""

from __future__ import annotations

from stackctl.adapters.disk.directory import StackDirectory
from stackctl.certs.held import Source
from stackctl.certs.issuer.copies import LINEAGES
from stackctl.certs.issuer.pair import pair_problem
from stackctl.errors import HostError
from stackctl.model.values import Domain


def keep_lineage(directory: StackDirectory, name: Domain, lineage: str) -> None:
    """Store a copy of ``lineage`` for ``name``.

    Raises:
        HostError: the lineage cannot be served.
    """
    chain, key, _ = directory.certbot_tree().pair(lineage)
    problem = pair_problem(chain, key)
    if problem is not None:  # then its last good copy is served
        chain, key, _ = directory.pairs.read(LINEAGES, lineage)
    if chain is None or key is None:
        raise HostError(f"the certificate {lineage} cannot be kept for {name}: {problem}", hint="run 'stackctl up'")
    directory.store_pair(name, chain, key, Source.KEPT)
