"""Finds where one path of a site is written in a Compose file, and removes it there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from stackctl.errors import InputError
from stackctl.model.matching import PathMatch
from stackctl.model.routing import Site
from stackctl.stackfile import edit
from stackctl.stackfile.blocks import Block, competing
from stackctl.stackfile.document import Document, Path
from stackctl.stackfile.routes import Placed
from stackctl.templates import yaml_quote

_PLAIN = re.compile(r"/[A-Za-z0-9/._~-]*\Z")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a path of a site is written: a route of one of its blocks."""

    block: Block
    placed: Placed

    @property
    def is_whole_block(self) -> bool:
        """Whether the path is all that the block says."""
        return self.placed.path == self.block.path and len(self.placed.route.match.all_of.paths) == 1

    @property
    def rest(self) -> tuple[Placed, ...]:
        """The other routes of the block."""
        return tuple(placed for placed in self.block.routes if placed is not self.placed)


def blocks_of_site(blocks: Sequence[Block], site: Site) -> list[Block]:
    """Return the blocks of a site."""
    return [block for block in blocks if block.domains[0] in site.domains]


def place_of(blocks: Sequence[Block], path: PathMatch) -> Place | None:
    """Return where ``path`` is written among the blocks of a site; rules are for more than a path."""
    places = (Place(block, placed) for block in blocks for placed in block.routes)
    return next((place for place in places if path in competing(place.placed.route)), None)


def without_path(doc: Document, place: Place, path: PathMatch) -> Document:
    """Return ``doc`` without ``path``, and without its item of ``routes`` if that has no other path.

    Raises:
        StackfileError: the text is laid out in a way that cannot be edited.
    """
    paths = place.placed.route.match.all_of.paths
    if len(paths) > 1:
        return _shortened(doc, place, paths.index(path))
    return edit.remove(doc, place.placed.path)


def refuse_more(place: Place) -> None:
    """Refuse to remove a block for one of its paths if it has others.

    Raises:
        InputError: with the place of one.
    """
    if place.rest:
        raise InputError(
            f"the block with this path has 'routes' too, such as the one at {place.rest[0].route.where}",
            where=place.block.where,
            hint="remove those first, or edit the file and run 'stackctl up'",
        )


def _shortened(doc: Document, place: Place, index: int) -> Document:
    """Return ``doc`` without one item of a list of paths; the others stay as they are written."""
    at: Path = (*place.placed.path, "path")
    if doc.entry(at) is None:
        at = (*place.placed.path, "match", "path")
    left = [text for number, text in enumerate(doc.data(at)) if number != index]
    if len(left) == 1:
        return edit.replace(doc, at, f"path: {_written(left[0])}\n")
    return edit.replace(doc, at, "path:\n" + "".join(f"  - {_written(text)}\n" for text in left))


def _written(text: str) -> str:
    return text if _PLAIN.match(text) else yaml_quote(text)
