"""nginx: copies of the user's own files in which a block keeps the headers of its site.

nginx inherits lists such as ``add_header`` only into a block that has none of its own: a location of the user's with
one header would drop those of the site, and among them those for security.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stackctl.proxies.nginx.spans import Span, Unreadable, read_spans


def completed(content: bytes, lists: Mapping[str, Sequence[str]]) -> bytes:
    """Return the copy of a user's file with the lines of ``lists`` in each inner block that has such a directive.

    They are by the name of the directive. One that the block has for the same header wins. No line changes its number.
    """
    present = {name: lines for name, lines in lists.items() if lines and name.encode() in content}
    if not present:
        return content
    text = content.decode("utf-8", "surrogateescape")
    try:
        spans = read_spans(text)
    except Unreadable:
        return content
    edits: list[tuple[int, str]] = []
    for span in spans:
        _collect(span, present, edits)
    for position, lines in sorted(edits, reverse=True):
        text = f"{text[:position]} {lines}{text[position:]}"
    return text.encode("utf-8", "surrogateescape")


def _collect(block: Span, lists: Mapping[str, Sequence[str]], edits: list[tuple[int, str]]) -> None:
    inner = block.block or ()
    for name, lines in lists.items():
        own = [one for one in inner if one.name == name]
        names = {one.arg.lower() for one in own}
        missing = [line for line in lines if line.split()[1].rstrip(";").lower() not in names]
        if own and missing:
            edits.append((own[-1].end, " ".join(missing)))
    for one in inner:
        _collect(one, lists, edits)
