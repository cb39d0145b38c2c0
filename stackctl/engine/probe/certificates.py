"""Collect the facts that :mod:`stackctl.diagnose.certificates` and :mod:`stackctl.diagnose.renewal` check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from stackctl.adapters.disk.certbot_tree import CertbotTree
from stackctl.adapters.disk.directory import StackDirectory
from stackctl.certs.held import Held, held
from stackctl.certs.issuer.copies import STORED
from stackctl.certs.issuer.pair import chain_fault
from stackctl.certs.lineage import Lineage, own_way_todo
from stackctl.certs.shelf import Shelf, Source, import_lack
from stackctl.certs.trust import CLOUDFLARE, Trust, trust_of
from stackctl.diagnose.certificates import CertificateFacts, KeyFile
from stackctl.diagnose.copies import CopyFacts
from stackctl.diagnose.imported import ImportFacts
from stackctl.diagnose.renewal import RenewalFacts
from stackctl.diagnose.second import SecondFacts
from stackctl.engine.context import Context
from stackctl.engine.probe.cdn import cdn_of_name
from stackctl.model.dns_zones import provable
from stackctl.model.layout import (
    lineage_file,
    lineage_files,
)
from stackctl.model.routing import Site
from stackctl.model.second import second_of
from stackctl.model.stack import Stack, TlsPolicy


@dataclass(frozen=True, slots=True)
class SiteFacts:
    """The facts of one app's certificate, its copy, and its renewal, which is None if it was never issued."""

    certificate: CertificateFacts
    copy: CopyFacts
    renewal: RenewalFacts | None
    second: SecondFacts | None = None


def certificates(context: Context, stack: Stack, sites: Sequence[Site], *, proxy_up: bool) -> list[SiteFacts]:
    """Return the facts of each app's certificate, on disk and on the wire."""
    names = [site.name for site in sites]
    https = stack.proxy.https
    served = context.wire.served(https.at, names) if https and proxy_up and names else {}
    now = context.now()
    tree = context.directory.certbot_tree()
    accounts, shelf = tree.accounts(), context.directory.shelf(names, now, tree)
    refused = context.directory.refused_copies()
    both = [site.name for site in sites if second_of(site) is not None]
    visible = proxy_up and stack.tls is not TlsPolicy.MODERN
    seconds = context.wire.served(https.at, both, rsa=True) if https and both and visible else {}
    settings, sharing = tree.settings(stack.acme.directory, stack.other_cas), shelf.sharing(stack.sites)
    found = []
    for site in sites:
        lineage = shelf.name_of(site)
        chain, _, renewal = map(tree.read, lineage_files(lineage))
        there, key_file = held(site, shelf), tree.key_file(lineage)
        certificate = CertificateFacts(
            subject=site.name,
            names=site.domains,
            held=there,
            fullchain=chain,
            chain=tree.read(lineage_file(lineage, "chain")),
            key_file=KeyFile(*key_file) if key_file else None,
            served=served.get(site.name),
            proxy_up=proxy_up,
            now=now,
            imported=_imported(context, site, shelf),
        )
        acme = stack.acme_of(*sharing[lineage])
        facts = _renewal(tree, site, there.own, renewal, accounts, acme.directory) if there.own else None
        if facts is not None and there.own is not None:
            _, changes = settings.renewal(there.own, acme, dns=provable(stack.dns, site))
            facts = replace(facts, changes=tuple(changes))
        if facts is not None and chain_fault(chain or b"", certificate.chain) is not None:
            facts = replace(facts, fault=None)  # the check of the chain says so
        second = None
        if site.second_key is not None and second_of(site) is not None:
            second = SecondFacts(site.name, site.second_key, there, seconds.get(site.name), visible, now)
        found.append(SiteFacts(certificate, _copy(context.directory, site, there, shelf, refused), facts, second))
    return found


def _copy(directory: StackDirectory, site: Site, there: Held, shelf: Shelf, refused: Mapping[str, str]) -> CopyFacts:
    stored_name = site.name if site.imported is None else site.imported.name
    if there.source == Source.IMPORTED and site.imported is not None:
        there = replace(there, own=None, stored=shelf.imported(site))
    copies, name = (shelf.copies, there.own.name) if there.own else (shelf.stored_copies, stored_name)
    problem = directory.stored_problem(stored_name) if there.stored and there.stored.version is None else None
    return CopyFacts(there.site, there, copies.get(name), refused.get(name), problem, stored_name, shelf.now)


def _imported(context: Context, site: Site, shelf: Shelf) -> ImportFacts | None:
    if site.imported is None:
        return None
    chain = context.directory.pairs.chain(STORED, site.imported.name)
    trust = trust_of(chain or b"", context.network.trusted_roots())
    proxied = trust is Trust.CLOUDFLARE and cdn_of_name(context.network, site.name) == CLOUDFLARE
    return ImportFacts(site.imported, import_lack(site, shelf.imported(site)), trust, proxied)


def _renewal(  # noqa: PLR0913  (the tree, the lineage, and what all share)
    tree: CertbotTree, site: Site, lineage: Lineage, text: bytes | None, accounts: frozenset[str], directory: str
) -> RenewalFacts:
    return RenewalFacts(
        subject=site.name,
        lineage=lineage.name,
        names=site.domains,
        text=None if text is None else text.decode("utf-8", "replace"),
        accounts=accounts,
        directory=directory,
        fault=lineage.fault,
        repairable=lineage.repair is not None,
        own_way=own_way_todo(lineage, site.domains) if lineage.own_way else None,
        links_known=tree.links(lineage.name) is not None,
    )
