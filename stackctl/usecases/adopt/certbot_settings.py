"""Plans the changes to the settings of an adopted certbot tree."""

from __future__ import annotations

from collections.abc import Iterator

from stackctl.adapters.disk.certbot_tree import CertbotTree
from stackctl.certs.cli_ini import aligned_ini
from stackctl.certs.lineage import Lineage
from stackctl.engine.adopt.foreign import Foreign
from stackctl.model.layout import CERTBOT_CONF, CLI_INI, renewal_file
from stackctl.model.stack import Stack
from stackctl.plan.adopt import RewriteIni, RewriteRenewal, SetHookAside


def rewritten_settings(foreign: Foreign, stack: Stack) -> Iterator[RewriteRenewal | RewriteIni | SetHookAside]:
    """Yield the changes to certbot's settings, so that its loop does what ``x-stackctl`` says."""
    if foreign.tree is None:
        return
    settings = CertbotTree(foreign.tree, None).settings(stack.acme.directory)
    for name in settings.renewals:
        lineage = foreign.lineages.get(name) or Lineage(name, None)
        content, changes = settings.renewal(lineage, stack.acme, adopting=True)
        if changes:
            cause = "it cannot be renewed in stackctl's container"
            yield RewriteRenewal(lineage=name, content=content, changes=tuple(changes), cause=cause)
    if settings.ini is not None:
        content, changes = aligned_ini(settings.ini, hooks=stack.acme.hooks)
        if changes:
            yield RewriteIni(content=content, changes=tuple(changes), cause="it governs all renewals")
    for hook in settings.unwanted_hooks(stack.acme):
        yield SetHookAside(path=hook, cause="certbot runs it at renewals")


def files_of(operation: RewriteRenewal | RewriteIni | SetHookAside) -> Iterator[str]:
    """Yield the path of the file that an operation changes."""
    match operation:
        case RewriteRenewal():
            yield (CERTBOT_CONF / renewal_file(operation.lineage)).path
        case RewriteIni():
            yield (CERTBOT_CONF / CLI_INI).path
        case SetHookAside():
            yield (CERTBOT_CONF / operation.path).path
