"""Compose a YAML text to nodes, by the faster parser where it can, and never deeper than it can follow."""

from __future__ import annotations

import warnings
from functools import lru_cache

from ruamel.yaml import YAML
from ruamel.yaml.error import ReusedAnchorWarning, YAMLError
from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent
from ruamel.yaml.nodes import Node

from stackctl.errors import StackfileError

_DEEPEST = 100
"""Blocks inside each other; real Compose files have ten. The C parser crashes at some ten thousand."""


def _refuse_deep(body: str, name: str) -> None:
    """Refuse blocks that are nested too deeply, by the parser's events, which need no recursion.

    Raises:
        StackfileError: with the line.
    """
    depth = 0
    try:
        for event in YAML(typ="safe", pure=False).parse(body):
            depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
            if depth > _DEEPEST:
                raise _too_deep(f"{name}:{event.start_mark.line + 1}")
    except YAMLError:
        return  # reported by the parser, or taken by the slower one


@lru_cache(maxsize=8)
def composed(body: str, name: str) -> Node | None:
    """The root node of a text; a command reads the same one several times, and its nodes are never changed.

    Raises:
        YAMLError: it is no YAML.
        StackfileError: it is nested too deeply.
    """
    _refuse_deep(body, name)
    root: Node | None
    try:
        # The C parser, if available: the same nodes, nine times faster.
        root = YAML(typ="safe", pure=False).compose(body)
    except YAMLError as refused:
        # It knows YAML 1.1 only, and refuses 'ports: [80:80]' and '{image: nginx:1.30}', which Compose takes.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ReusedAnchorWarning)
            try:
                root = YAML(typ="safe", pure=True).compose(body)
            except YAMLError:
                raise refused from None
            except RecursionError:
                raise _too_deep(name) from None
    return root


def _too_deep(where: str) -> StackfileError:
    return StackfileError(f"blocks are nested more than {_DEEPEST} levels deep", where=where)
