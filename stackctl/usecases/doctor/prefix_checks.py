"""The check of ``stackctl doctor`` whether an app below a path of its site stays there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stackctl.diagnose.check import Check, found_wrong, skipped
from stackctl.diagnose.prefix import PREFIX, PrefixFacts, judge_prefix
from stackctl.model.backends import Server
from stackctl.model.matching import EVERY_PATH, PathKind
from stackctl.model.paths import sent
from stackctl.model.project import Project
from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.observed.reply import ClientRequest
from stackctl.usecases.doctor.inputs import DoctorInputs

_SECONDS = 5.0


def prefix_checks(  # noqa: PLR0913  (the stack, the site, and its checks so far)
    inputs: DoctorInputs,
    stack: Stack,
    project: Project,
    site: Site,
    server: Server,
    earlier: Sequence[Check],
) -> Iterator[Check]:
    """Yield a check for each path of the server's routes, besides that of every path and those of rules."""
    routes = [route for route in site.routes if server in route.servers and not route.is_rule]
    paths = [(route, path) for route in routes for path in route.match.all_of.paths]
    failed = found_wrong(earlier)
    service = project.services.get(server.service or "")
    listener = stack.proxy.for_visitors
    for route, path in paths:
        if path.kind is not PathKind.PREFIX or path == EVERY_PATH:
            continue
        if site.maintenance is not None and not site.maintenance.has_ended(inputs.context.now()):
            yield from skipped([PREFIX], "the site is in maintenance", site.name)
        elif failed:
            yield from skipped([PREFIX], f"{failed[0].name} fails", site.name)
        elif stack.behind is not None and stack.behind.redirect:
            yield from skipped([PREFIX], "requests that do not come over the load balancer are redirected", site.name)
        else:
            request = ClientRequest(site.name, listener.at.port, tls=listener.secure, path=f"{sent(path.text)}/")
            answer = inputs.context.wire.answer(listener.at, request, _SECONDS)
            image = (service.image if service else None) or ""
            yield judge_prefix(PrefixFacts(site.name, path.text, route.where or site.where, image, answer))
