"""Makes sites of the blocks of a Compose file: blocks that share a name are one site with the routes of all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from urllib.parse import unquote

from stackctl.errors import StackfileError
from stackctl.model.backends import Backend
from stackctl.model.circles import circles
from stackctl.model.imported import Imported
from stackctl.model.matching import EVERY_PATH, PathMatch
from stackctl.model.routing import Route, Site
from stackctl.model.tuning import Tuning
from stackctl.model.values import Domain
from stackctl.stackfile.certificates import split
from stackctl.stackfile.document import Path
from stackctl.stackfile.routes import Placed
from stackctl.wording import listed


@dataclass(frozen=True, slots=True)
class Block:
    """What one service, or one item of ``apps``, says about a site.

    Attributes:
        path: its place in the document; ``where`` and ``line`` are the same for people and for comparing.
        routes: the route of its own paths, if it has a server, and those of its list ``routes``. Their tuning is
            None where it is that of the block.
    """

    path: Path
    where: str
    line: int
    domains: tuple[Domain, ...]
    routes: tuple[Placed, ...]
    tuning: Tuning
    certificate: str | Imported | None

    @property
    def has_root(self) -> bool:
        """Whether it has the path ``/``, and with it the keys of the whole site."""
        return any(placed.route.is_root for placed in self.routes)


def competing(route: Route) -> tuple[PathMatch, ...]:
    """Return the paths of a route for which no other route of its site may be; none if it is a rule."""
    return () if route.is_rule else route.match.all_of.paths


def merged(blocks: Sequence[Block], defaults: Tuning) -> tuple[Site, ...]:
    """Return the sites; ``defaults`` are the settings of one that no block with the path ``/`` has.

    Raises:
        StackfileError: two blocks contradict each other; with both lines.
    """
    return tuple(_site(sorted(group, key=lambda block: block.line), defaults) for group in _groups(blocks))


def _groups(blocks: Sequence[Block]) -> list[list[Block]]:
    """Return the blocks that share names, directly or through others, in the order of their first ones."""
    groups: list[list[Block]] = []
    by_name: dict[Domain, list[Block]] = {}
    for block in blocks:
        found = [by_name[name] for name in block.domains if name in by_name]
        group = found[0] if found else []
        if not found:
            groups.append(group)
        group.append(block)
        for other in found[1:]:
            if other is not group and any(other is one for one in groups):
                groups = [one for one in groups if one is not other]
                group.extend(other)
        by_name.update((name, group) for one in group for name in one.domains)
    return groups


def _site(blocks: list[Block], defaults: Tuning) -> Site:
    owners = [block for block in blocks if block.has_root]
    _refuse_two_owners(owners, blocks)
    owner = owners[0] if owners else None
    names = owner.domains if owner else tuple(dict.fromkeys(name for block in blocks for name in block.domains))
    for block in blocks:
        _refuse_foreign_names(block, owner, names)
    tuned = owner.tuning if owner else defaults
    _refuse_same_paths(names[0], blocks)
    _refuse_same_cookie(blocks)
    routes = tuple(_tuned(placed.route, block.tuning, tuned) for block in blocks for placed in block.routes)
    lineage, imported = split(names[0], _certificate(owner, blocks))
    site = Site(names, routes, tuned, (owner or blocks[0]).where, lineage, imported=imported)
    for first, *_ in circles((site,)):
        assert first.route is not None  # it has no canonical name yet
        raise StackfileError(
            f"the redirect of {unquote(first.target)} leads back to itself: {first.route.action}",
            where=first.where,
            hint="let it lead to a path that another route answers, or to another name",
        )
    return site


def _tuned(route: Route, block: Tuning, site: Tuning) -> Route:
    """Return the route of a block with the settings that are not those of the site."""
    own = route.tuning or block
    return replace(route, tuning=None if own == site else own)


def _refuse_two_owners(owners: list[Block], blocks: list[Block]) -> None:
    for owner in owners[1:]:
        first = owners[0]
        shared = [name for name in owner.domains if name in first.domains]
        if shared:
            raise StackfileError(
                f"{shared[0]} is routed twice",
                where=owner.where,
                hint=f"see {first.where}; two services may share a name where their paths differ: add 'path' to one",
            )
        bridge = next(block for block in blocks if block not in owners and {*block.domains} - {*first.domains})
        raise StackfileError(
            f"{listed(bridge.domains)} are names of different sites",
            where=bridge.where,
            hint=f"see {first.where} and {owner.where}; write one item of x-stackctl.apps for each site",
        )


def _refuse_foreign_names(block: Block, owner: Block | None, names: Sequence[Domain]) -> None:
    foreign = next((name for name in block.domains if name not in names), None)
    if owner is not None and foreign is not None:
        raise StackfileError(
            f"{foreign} is not a name of the site {names[0]}, to which this path belongs",
            where=block.where,
            hint=f"add it to the domains at {owner.where}, or remove it here: a route is for all names of its site",
        )


def _refuse_same_paths(name: Domain, blocks: list[Block]) -> None:
    seen: dict[PathMatch, Route] = {}
    for route in (placed.route for block in blocks for placed in block.routes):
        for path in competing(route):
            other = seen.setdefault(path, route)
            if other is not route:
                at = name if path == EVERY_PATH else f"{name}{path}"
                raise StackfileError(f"{at} is routed twice", where=route.where, hint=f"see {other.where}")


def _refuse_same_cookie(blocks: list[Block]) -> None:
    """Refuse two backends whose clients would lose their server to each other."""
    seen: dict[str, Route] = {}
    for route in (placed.route for block in blocks for placed in block.routes):
        sticky = route.action.sticky if isinstance(route.action, Backend) else None
        if sticky is not None and seen.setdefault(sticky.cookie, route).action != route.action:
            raise StackfileError(
                f"the cookie {sticky.cookie} is that of other servers of the site",
                where=route.where,
                hint=f"see {seen[sticky.cookie].where}; write 'sticky: {{cookie: NAME}}' in one of them",
            )


def _certificate(owner: Block | None, blocks: list[Block]) -> str | Imported | None:
    """Return the certificate of a site, which all of its blocks agree on."""
    given = list(_naming(blocks))
    decisive = owner or (given[0] if given else None)
    for block in given:
        if decisive is not None and block.certificate != decisive.certificate:
            raise StackfileError(
                f"'certificate' is a key of the whole site {block.domains[0]}, which has another one",
                where=block.where,
                hint=f"see {decisive.where}; write it there only",
            )
    return decisive.certificate if decisive else None


def _naming(blocks: list[Block]) -> Iterator[Block]:
    return (block for block in blocks if block.certificate is not None)
