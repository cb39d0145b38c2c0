"""The adoption plan: findings and the ordered operations."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from stackctl.adopt.comparison import STRANGER, Difference, Probe
from stackctl.adopt.config_changes import REDIRECTED
from stackctl.adopt.proposal import Handling, Proposal, Remark
from stackctl.certs.held import held
from stackctl.certs.lineage import read_certificate
from stackctl.certs.shelf import Stored
from stackctl.engine.adopt.compare import Asked, Comparison, compare
from stackctl.engine.adopt.foreign import SCRIPTS, Foreign
from stackctl.engine.context import Context
from stackctl.engine.probe.observe import observe
from stackctl.errors import ExitCode
from stackctl.model.layout import CERTBOT_CONF
from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.observed.state import Observed
from stackctl.plan.adopt import (
    CopyFolder,
    CopyTree,
    ImportCertificate,
    KeepOldState,
    ReplaceProxy,
    WriteKept,
    in_two,
    with_measured_downtime,
)
from stackctl.plan.intent import Intent
from stackctl.plan.operation import Operation, Plan
from stackctl.plan.operations import AwaitService, PullImage, RemoveContainers, StartService
from stackctl.plan.planner import make_plan
from stackctl.proxies.sites import Rendering
from stackctl.usecases.adopt.certbot_settings import files_of, rewritten_settings
from stackctl.usecases.adopt.report import AdoptComparison, AdoptDifference, AdoptedSite, AdoptRemark, AdoptReport
from stackctl.usecases.converge import Loaded
from stackctl.usecases.result import Result


@dataclass(frozen=True, slots=True)
class AdoptOptions:
    """The options of the command.

    Attributes:
        force: continue although some settings are lost, or answers differ.
        compare: compare the answers of the old proxy and the new one before the switch.
    """

    letsencrypt: Path | None = None
    email: str | None = None
    proxy_image: str | None = None
    certbot_image: str | None = None
    force: bool = False
    compare: bool = True


@dataclass(frozen=True, slots=True)
class OldConfiguration:
    """What the configuration of the old proxy means.

    Attributes:
        probes: the requests by which both proxies are compared.
        skipped: ``file:line`` of what no request can be made up for.
        served: the names that it serves.
        changes: returns what clients and apps see differently, by the planned configuration.
    """

    proposal: Proposal
    probes: tuple[Probe, ...] = ()
    skipped: tuple[str, ...] = ()
    served: tuple[str, ...] = ()
    changes: Callable[[Plan, Proposal], tuple[Remark, ...]] = lambda _plan, _proposal: ()


@dataclass(frozen=True, slots=True)
class Adoption:
    """A surveyed stack, and the operations that adopt it.

    Attributes:
        folder: the new proxy's folder of the user's own files.
    """

    foreign: Foreign
    proposal: Proposal
    loaded: Loaded
    observed: Observed
    before: tuple[Operation, ...]
    switch: tuple[Operation, ...]
    diff: str
    folder: str
    options: AdoptOptions = field(default_factory=AdoptOptions)
    comparison: Comparison | None = None

    @property
    def plan(self) -> Plan:
        """Return all operations, in order."""
        return Plan((*self.before, *self.switch))

    @property
    def stops(self) -> bool:
        """Return whether settings would be lost without ``force``."""
        return bool(self.proposal.remarks_of(Handling.UNSUPPORTED)) and not self.options.force

    @property
    def differs(self) -> bool:
        """Return whether an answer differs that no remark announces, without ``force``."""
        found = self.comparison.differences if self.comparison else ()
        return any(not self._expects(one) for one in found) and not self.options.force

    def _expects(self, difference: Difference) -> bool:
        """Return whether a remark announces a difference: it names the header, the statuses, or the default server."""
        remarks = [one for one in self.proposal.remarks if one.handling in {Handling.CHANGED, Handling.UNSUPPORTED}]
        if difference.probe.host == STRANGER:
            return any(one.at == difference.probe.server for one in remarks)
        redirected = f"http://{difference.probe.host} is now redirected to HTTPS"
        if not difference.probe.tls and any(one.text == redirected for one in remarks):
            return True
        if difference.what == "status" and not difference.probe.tls:
            change = f"{difference.new}, 308, by method, not with {difference.old}"
            return any(REDIRECTED in one.text and change in one.text for one in remarks)
        if any(one.at == difference.probe.at and f"({difference.what})" in one.text.lower() for one in remarks):
            return True
        known = difference.what in {"status", "body", "location"}
        return not known and any(difference.what in one.text.lower() for one in remarks)

    @property
    def shown(self) -> Result[AdoptReport]:
        """Return the result to show before the user confirms."""
        found = ExitCode.FAILED if self.stops else ExitCode.OK
        return Result("adopt", self.report(), self.plan, dry_run=True, found=found)

    def report(self) -> AdoptReport:
        """Return the findings, and how adoption handles them."""
        proposal = self.proposal
        sites = {site.name: site for site in self.loaded.stack.sites}
        return AdoptReport(
            sites=tuple(
                AdoptedSite(
                    name=site.name,
                    aliases=site.domains[1:],
                    upstream=site.upstream,
                    certificate=site.lineage or site.imported,
                    not_after=_not_after(self.observed, sites[site.name]),
                    at=site.at,
                )
                for site in proposal.sites
            ),
            remarks=tuple(
                AdoptRemark(remark.handling, remark.text, remark.at)
                for handling in Handling
                for remark in proposal.remarks_of(handling)
            ),
            custom=tuple(sorted([*proposal.custom, *proposal.copies, *proposal.folders])),
            folder=self.folder,
            diff=self.diff,
            stops=self.stops,
            replaced=any(isinstance(operation, ReplaceProxy) for operation in self.switch),
            comparison=self._compared(),
        )

    def _compared(self) -> AdoptComparison | None:
        if self.comparison is None:
            return None
        differences = tuple(
            AdoptDifference(one.probe.line, one.what, one.old, one.new, self._expects(one), one.probe.at)
            for one in self.comparison.differences
        )
        return AdoptComparison(self.comparison.asked, differences, self.comparison.skipped, self.comparison.problem)


def _not_after(observed: Observed, site: Site) -> datetime | None:
    certificate = held(site, observed.shelf).on_disk
    return certificate.not_after if certificate is not None else None


def planned(  # noqa: PLR0913  (the old stack and the new one)
    context: Context,
    foreign: Foreign,
    old_proxy: OldConfiguration,
    imports: tuple[ImportCertificate, ...],
    loaded: Loaded,
    old: str,
    options: AdoptOptions,
) -> Adoption:
    """Plan the ordered operations that turn the old stack into ``loaded``."""
    stack, proposal = loaded.stack, old_proxy.proposal
    observed = observe(context, stack, loaded.project, stack.sites, loaded.before, loaded.doc.text)
    stack = observed.fitted(stack)
    there = {one.site: Stored.of(read_certificate(one.chain)) for one in imports}
    lineages = {**observed.shelf.lineages, **foreign.lineages}
    shelf = replace(observed.shelf, lineages=lineages, stored={**observed.shelf.stored, **there})
    observed = replace(observed, custom={**observed.custom, **proposal.custom}, shelf=shelf)
    rendering = Rendering(context.proxy_of(stack), observed.version, observed.custom)
    plan = make_plan(stack, loaded.doc.text, Intent(issue=False, align=False), observed, rendering, context.issuers)
    remarks = (*proposal.remarks, *old_proxy.changes(plan, proposal))
    proposal = replace(proposal, remarks=remarks)
    probed = tuple(site.name for site in stack.sites if site.name in there or _usable(foreign, site))
    mine: set[str] = {stack.certbot, stack.proxy.service}
    converging = [
        with_measured_downtime(operation, probed) for operation in plan.operations if _is_ours(operation, mine)
    ]
    own = _own_operations(context, foreign, proposal, stack, old, loaded.doc.text)
    before, switch = in_two([*own, *converging, *imports, *_helpers_removed(foreign, observed)])
    name = context.directory.main_path
    diff = difflib.unified_diff(old.splitlines(), loaded.doc.text.splitlines(), name, f"{name} (adopted)", lineterm="")
    folder = context.proxy_of(stack).layout.custom
    found = Adoption(
        foreign, proposal, loaded, observed, tuple(before), tuple(switch), "\n".join(diff), folder, options
    )
    if not options.compare or not any(isinstance(operation, ReplaceProxy) for operation in switch):
        return found
    asked = Asked(old_proxy.probes, old_proxy.skipped)
    return replace(found, comparison=compare(context, foreign, asked, loaded.project, stack, [*before, *switch]))


def _is_ours(operation: Operation, mine: set[str]) -> bool:
    """Return whether adoption carries out an operation: it does not start or update the apps."""
    match operation:
        case StartService() | AwaitService():
            return operation.service in mine
        case PullImage():
            return operation.scope is None or operation.scope.removeprefix("service:") in mine
        case _:
            return True


def _helpers_removed(foreign: Foreign, observed: Observed) -> Iterator[Operation]:
    """Yield the removal of containers whose work stackctl takes over; they are removed last."""
    for helper in foreign.layout.helpers:
        ids = tuple(container.id for container in observed.containers.of(helper.name))
        if ids:
            cause = "stackctl replaces it"
            yield RemoveContainers(service=helper.name, ids=ids, cause=cause, scope=f"service:{helper.name}")


def _usable(foreign: Foreign, site: Site) -> bool:
    one = foreign.lineages.get(site.lineage)
    return one is not None and one.usable


def _own_operations(  # noqa: PLR0913  (the old stack and the new one)
    context: Context, foreign: Foreign, proposal: Proposal, stack: Stack, old: str, new: str
) -> list[Operation]:
    """Return the operations of adoption that a converge does not plan."""
    root, folder = context.directory.root, context.proxy_of(stack).layout.custom
    operations: list[Operation] = []
    rewritten = list(rewritten_settings(foreign, stack))
    in_place = foreign.tree is not None and foreign.tree.resolve() == (root / CERTBOT_CONF.path).resolve()
    if foreign.tree is not None and not in_place:
        source = foreign.volume.shown if foreign.volume else foreign.files.shown(foreign.tree)
        operations.append(
            CopyTree(source=source, target=CERTBOT_CONF.path, cause="stackctl expects certbot's files there")
        )
    for name, directives in proposal.custom.items():
        cause = "x-stackctl has no key for these directives"
        operations.append(WriteKept(folder=folder, name=name, content=directives, cause=cause))
    for name, path in proposal.copies.items():
        found = foreign.files.read(path)
        if found is not None:
            like, cause = foreign.files.on_host(path), f"a kept directive refers to {path}"
            mode = foreign.inside.mode(path) if foreign.inside else 0o600
            operations.append(
                WriteKept(
                    folder=folder,
                    name=name,
                    content=found[1],
                    like=str(like) if like else None,
                    mode=mode,
                    cause=cause,
                )
            )
    for name, path in proposal.folders.items():
        operations.append(CopyFolder(folder=folder, name=name, source=path, cause="a kept directive refers to it"))
    operations += rewritten
    seen = () if foreign.files.is_stackctls else foreign.files.seen
    kept = [
        context.directory.main_path,
        *sorted(
            path
            for path in seen
            if not path.startswith(("/", CERTBOT_CONF.path)) and not path.endswith((".key", ".crt", ".pem"))
        ),
    ]
    kept += [name for name in SCRIPTS if (root / name).is_file()]
    if in_place:
        kept += [path for one in rewritten for path in files_of(one)]
    if operations or old != new:
        operations.append(
            KeepOldState(paths=tuple(dict.fromkeys(kept)), cause="so that 'stackctl rollback' can restore it")
        )
    return operations
