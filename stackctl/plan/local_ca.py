"""Make the stack's own CA, which issues certificates for development, before anything asks it for one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from stackctl.certs.local_ca import planned_ca, wanted_domains
from stackctl.certs.shelf import Source
from stackctl.model.layout import LOCAL_CA, TRUST, TRUST_BUNDLE
from stackctl.model.stack import Stack
from stackctl.observed.state import Observed
from stackctl.plan.intent import Intent
from stackctl.plan.operation import Operation, Preparation
from stackctl.wording import listed


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeLocalCa(Operation):
    """Make the stack's own CA, limited to some domains; one that exists is replaced."""

    preparation = Preparation.CERTIFICATES

    domains: tuple[str, ...]

    @property
    def text(self) -> str:
        """A short description of what it does."""
        return f"make a local CA for names below {listed(tuple(f'.{one}' for one in self.domains))} in {LOCAL_CA.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteTrustBundle(Operation):
    """Write the roots that services trust which mount the stack's bundle."""

    preparation = Preparation.CERTIFICATES

    @property
    def text(self) -> str:
        """A short description of what it does."""
        return f"write {TRUST_BUNDLE.path}, which services trust"


def trust_operations(observed: Observed) -> Iterator[WriteTrustBundle]:
    """Yield what writes the bundle if a service mounts it, and it is missing or lacks the root of the CA."""
    mounts = (mount for service in observed.project.services.values() for mount in service.mounts)
    if not any(f"/{mount.source}".endswith(f"/{TRUST.path}") for mount in mounts):
        return
    ca, there = observed.shelf.local_ca, observed.trust_bundle
    if there is None:
        yield WriteTrustBundle(cause="missing")
    elif ca is not None and not (ca.root and ca.root in there):
        yield WriteTrustBundle(cause="it lacks the root of the local CA")


def with_local_ca(stack: Stack, intent: Intent, observed: Observed) -> tuple[Observed, list[MakeLocalCa]]:
    """Return what makes the stack's own CA if it needs a new one, and what is observed after it.

    One whose key is lost is replaced only on request: every client that trusts it would have to trust another root.
    """
    shelf = observed.shelf
    if intent.renew is not None or not stack.has_local_ca:
        return observed, []
    used = any(one.source == Source.LOCAL for one in shelf.stored.values())
    if not intent.new_root and (shelf.local_ca is not None or used):
        return observed, []
    domains = wanted_domains(stack.acme)
    cause = "requested" if intent.new_root else "there is none yet"
    planned = replace(shelf, local_ca=planned_ca(domains, observed.now))
    return replace(observed, shelf=planned), [MakeLocalCa(domains=domains, cause=cause)]
