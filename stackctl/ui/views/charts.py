"""Small charts as SVG, drawn on the server: no script, and no style that the page's policy would refuse."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

_WIDTH, _HEIGHT = 2, 28
"""Of a bar, in units of the drawing; ``style.css`` gives its size on the page."""


def bars(values: Sequence[tuple[int, int]], text: str) -> Markup:
    """Return a bar for each pair: how much in all, and the part of it that failed; ``text`` says it in words."""
    most = max((whole for whole, _ in values), default=0)
    shapes = [
        _bar(at, whole, most, "bar") + _bar(at, part, most, "error") for at, (whole, part) in enumerate(values) if whole
    ]
    width = len(values) * _WIDTH
    return Markup(
        '<svg class="bars" viewBox="0 0 {w} {h}" preserveAspectRatio="none" role="img" aria-label="{text}">'
        '<line class="base" x1="0" x2="{w}" y1="{y}" y2="{y}"/>{shapes}</svg>'
    ).format(w=width, h=_HEIGHT, y=_HEIGHT - 0.5, text=text, shapes=Markup("").join(shapes))


def _bar(at: int, value: int, most: int, kind: str) -> Markup:
    if not value:
        return Markup("")
    # Whatever failed is seen, however much did not.
    height = max(1.5, round((_HEIGHT - 1) * value / most, 1))
    return Markup('<rect class="{}" x="{}" y="{}" width="1.6" height="{}"/>').format(
        kind, at * _WIDTH, round(_HEIGHT - height, 1), height
    )
