"""Compose files as people write them: a Hypothesis strategy for block-style text of every layout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import strategies as st

from stackctl.errors import StackfileError
from stackctl.stackfile.document import Document

Draw = Callable[[st.SearchStrategy[str]], str]

SCALARS = [
    "plain",
    "two words",
    "'single: #quoted'",
    '"double \\" quoted"',
    "8080",
    "0644",
    "1.50",
    "yes",
    "~",
    "${TAG:-latest}",
    "https://example.com/#not-a-comment",
    "日本語 🐳",
    '"a\u2028  b"',
    "!!str 12",
    '""',
]
TRAILERS = ["", "", "", "  # why", " #", "   "]
COMMENTS = ["# comment", "#", "#   - like: an item", "# key: value", "# ünïcode 🐳"]


@dataclass
class Layout:
    """The habits of the file's author."""

    indent: int = 2
    dash_indent: int = 0
    spaced: bool = True
    anchors: list[str] = field(default_factory=list)


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    indent = draw(st.sampled_from([2, 2, 3, 4, 8]))
    return Layout(indent, draw(st.sampled_from([0, indent])), draw(st.booleans()))


@st.composite
def noise(draw: st.DrawFn, column: int) -> list[str]:
    """Blank lines and comments, at whatever column."""
    lines: list[str] = []
    for _ in range(draw(st.sampled_from([0, 0, 0, 0, 1, 2]))):
        at = draw(st.sampled_from([0, column, column, column + 2, max(0, column - 2)]))
        lines.append(draw(st.sampled_from(["", "", "   ", *(" " * at + comment for comment in COMMENTS)])))
    return lines


@st.composite
def block_scalar(draw: st.DrawFn, key: str, column: int, layout: Layout) -> list[str]:
    header = draw(st.sampled_from(["|", "|-", ">", ">-"]))
    inner = " " * (column + layout.indent)
    body = draw(
        st.lists(
            st.sampled_from(["echo one", "# not a comment", "key: value", "", "  deeper", "- dash"]),
            min_size=1,
            max_size=4,
        )
    )
    first = f"{inner}first"
    return [f"{' ' * column}{key}: {header}", first, *(f"{inner}{line}" if line else "" for line in body)]


@st.composite
def scalar(draw: st.DrawFn, key: str, column: int) -> list[str]:
    value, trailer = draw(st.sampled_from(SCALARS)), draw(st.sampled_from(TRAILERS))
    return [f"{' ' * column}{key}: {value}{trailer}"]


@st.composite
def sequence(draw: st.DrawFn, key: str, column: int, layout: Layout) -> list[str]:
    dash = " " * (column + layout.dash_indent)
    lines = [f"{' ' * column}{key}:{draw(st.sampled_from(TRAILERS))}"]
    for _ in range(draw(st.integers(1, 3))):
        lines += draw(noise(len(dash)))
        if draw(st.booleans()):
            lines.append(f"{dash}- {draw(st.sampled_from(SCALARS))}{draw(st.sampled_from(TRAILERS))}")
        else:
            lines += [f"{dash}- target: 80", f"{dash}  published: 8080"]
    return lines


@st.composite
def flow(draw: st.DrawFn, key: str, column: int) -> list[str]:
    head = " " * column
    return draw(
        st.sampled_from(
            [
                [f"{head}{key}: {{a: 1, b: [x, y]}}"],
                [f"{head}{key}: [a, 'b']  # flow"],
                [f"{head}{key}: [", f"{head}  a,", f"{head}  b", f"{head}]"],
                [f"{head}{key}: {{}}"],
                [f"{head}{key}:"],
                [f"{head}{key}: first", f"{head}  and a second line"],
                [f'{head}{key}: "first', f'{head}  and # a second line"'],
            ]
        )
    )


@st.composite
def mapping(draw: st.DrawFn, key: str, column: int, layout: Layout, depth: int) -> list[str]:
    anchor = ""
    if draw(st.sampled_from([False, False, False, True])):
        anchor = f" &a{len(layout.anchors)}"
        fresh = anchor[2:]
    lines = [f"{' ' * column}{key}:{anchor}{draw(st.sampled_from(TRAILERS))}"]
    inner = column + layout.indent
    merge = [f"{' ' * inner}<<: *{draw(st.sampled_from(layout.anchors))}"] if layout.anchors else []
    where = draw(st.sampled_from(["first", "first", "last", "nowhere"]))
    lines += merge if where == "first" else []
    names = draw(st.lists(st.sampled_from(["k1", "k2", "k3", "'k 4'", '"k5"']), min_size=1, max_size=3, unique=True))
    for name in names:
        lines += draw(noise(inner))
        lines += draw(entry(name, inner, layout, depth - 1))
    lines += merge if where == "last" else []
    if anchor:
        layout.anchors.append(fresh)
    return lines


def entry(key: str, column: int, layout: Layout, depth: int) -> st.SearchStrategy[list[str]]:
    """One entry of a mapping, of any kind."""
    kinds = [
        scalar(key, column),
        scalar(key, column),
        block_scalar(key, column, layout),
        sequence(key, column, layout),
        flow(key, column),
    ]
    if layout.anchors:
        kinds.append(st.sampled_from(layout.anchors).map(lambda name: [f"{' ' * column}{key}: *{name}"]))
    if depth > 0:
        kinds += [mapping(key, column, layout, depth), mapping(key, column, layout, depth)]
    return st.one_of(kinds)


@st.composite
def services(draw: st.DrawFn, layout: Layout) -> list[str]:
    inner = layout.indent
    lines = [f"services:{draw(st.sampled_from(TRAILERS))}"]
    count = draw(st.integers(1, 3))
    for index in range(count):
        if index and layout.spaced:
            lines.append("")
        lines += draw(noise(inner))
        quote = draw(st.sampled_from(["", "'"]))
        lines.append(f"{' ' * inner}{quote}s{index}{quote}:")
        lines += [f"{' ' * 2 * inner}image: nginx"]
        for name in draw(st.lists(st.sampled_from(["command", "ports", "environment", "x-own"]), unique=True)):
            lines += draw(noise(2 * inner))
            lines += draw(entry(name, 2 * inner, layout, 1))
        lines += draw(noise(2 * inner))
    return lines


@st.composite
def tops(draw: st.DrawFn, layout: Layout) -> list[list[str]]:
    """The other keys at the top."""
    blocks: list[list[str]] = []
    if draw(st.booleans()):
        blocks.append(["x-stackctl:", f"{' ' * layout.indent}email: you@example.com"])
        if draw(st.booleans()):
            dash = " " * (layout.indent + layout.dash_indent)
            blocks[-1] += [f"{' ' * layout.indent}apps:", f"{dash}- domains: [a.example.com]", f"{dash}  upstream: a:1"]
    names = draw(st.lists(st.sampled_from(["x-common", "volumes", "networks", "name"]), unique=True, max_size=2))
    return [*blocks, *(draw(entry(name, 0, layout, 2)) for name in names)]


@st.composite
def raw_texts(draw: st.DrawFn) -> str:
    layout = draw(layouts())
    before = draw(tops(layout))
    blocks = [*before, draw(services(layout))]
    # Anchors must stand before their aliases: what was drawn later stands later.
    if draw(st.booleans()):
        blocks += [["volumes2:", f"{' ' * layout.indent}data: {{}}"]]
    lines: list[str] = draw(st.sampled_from([[], ["---"], ["# top", ""], ["%YAML 1.2", "---"]]))[:]
    for index, block in enumerate(blocks):
        if index and layout.spaced:
            lines.append("")
        lines += draw(noise(0))
        lines += block
    lines += draw(noise(0))
    newline = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    text = newline.join(lines) + (newline if draw(st.sampled_from([True, True, True, False])) else "")
    return draw(st.sampled_from(["", "", "", "\ufeff"])) + text


def _parses(text: str) -> bool:
    try:
        Document.parse(text, "docker-compose.yml")
    except StackfileError:
        return False
    return True


TEXTS = raw_texts().filter(_parses)
"""Compose files that are YAML, in block style where stackctl edits."""
