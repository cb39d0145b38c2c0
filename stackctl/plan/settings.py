"""Bring what governs the unattended renewals in line with ``x-stackctl``."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from stackctl.certs.cli_ini import aligned_ini
from stackctl.certs.policy import refused
from stackctl.certs.request import CertificateRequest
from stackctl.model.dns_zones import provable
from stackctl.model.layout import CLI_INI, renewal_file
from stackctl.model.routing import Site
from stackctl.model.second import with_seconds
from stackctl.model.stack import Stack
from stackctl.model.values import Domain
from stackctl.observed.state import Observed
from stackctl.plan.certificates import AlignSettings, DisableHook, RefuseIssue

_CAUSE = "renewals follow x-stackctl"
_BATCH = "settings"


def settings_operations(
    stack: Stack, sites: Collection[Site], observed: Observed, skipped: Collection[str]
) -> Iterator[AlignSettings | DisableHook | RefuseIssue]:
    """Yield the changes to ``cli.ini``, to the hooks, and to the renewal files of ``sites``.

    The files of ``skipped`` lineages are written anew by the same plan, or stay until their request succeeds.
    """
    settings, acme, all_of_it = observed.settings, stack.acme, f"service:{stack.certbot}"
    ini = settings.ini
    content, changes = aligned_ini(ini, hooks=acme.hooks) if ini is not None else ("", [])
    if ini is not None and changes:
        yield AlignSettings(
            path=CLI_INI,
            before=ini,
            content=content,
            changes=tuple(changes),
            cause="it governs all renewals",
            scope=all_of_it,
            batch=_BATCH,
        )
    for path in settings.unwanted_hooks(acme):
        yield DisableHook(path=path, cause="certbot runs it at renewals", scope=all_of_it, batch=_BATCH)
    users = observed.shelf.sharing(with_seconds(stack.sites))
    done = set[str]()
    for site in with_seconds(sites):
        name = observed.shelf.name_of(site)
        lineage = observed.shelf.lineages.get(name)
        text = settings.renewals.get(name)
        if lineage is None or text is None or name in done or name in skipped or site.local:
            continue
        acme = stack.acme_of(*users[name])
        done.add(name)
        content, changes = settings.renewal(lineage, acme, dns=provable(stack.dns, site))
        others = tuple(one.name for one in users[name] if one.name != site.name)
        if not changes:
            continue
        names = tuple(Domain(name) for name in (lineage.certificate.names if lineage.certificate else ()))
        rule = refused(acme.directory, names, acme.profile)
        if rule is not None and refused(acme.directory, names, None) is None:
            # The CA would refuse the next renewal with this profile.
            request = CertificateRequest(name, names)
            yield RefuseIssue(
                request=request, where=site.where, todo=rule.todo, cause=rule.text, scope=site.name, sharing=others
            )
            continue
        yield AlignSettings(
            path=renewal_file(name),
            before=text,
            content=content,
            changes=tuple(changes),
            cause=_CAUSE,
            scope=site.name,
            sharing=others,
            batch=_BATCH,
        )
