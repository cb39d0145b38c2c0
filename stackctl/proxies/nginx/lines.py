r"""nginx: the text that a map of rules compares, with a line for each field, and the regexes for its lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from stackctl.model.matching import EVERY_PATH, PathKind, PathMatch
from stackctl.model.paths import sent_pattern
from stackctl.model.patterns import FOLDS, tokens

PATH = "$uri"
"""The field of the last line: only a path may have line breaks."""

ANY = r"[^\n]*"

NOT_EMPTY = r"(?!\n)"

FINDS = "(?>"
"""The beginning of what :func:`finding` returns. It is atomic: a line that fits is not searched again for each way in
which the next one does not."""

LINE, PARAMETER, LAST = "\n", "&\n", ""
"""What ends a text: a line, a value in a query, and the path."""

Tests = dict[str, list[str]]
"""What the line of a field must be: regexes, by the variable of the field."""

Row = tuple[tuple[Tests, Tests | None], str]
"""What a request must be, and must not be, and the value of the map then."""


# One line


def any_of(choices: Iterable[str]) -> str:
    """Return the regex of alternatives."""
    return f"(?:{'|'.join(choices)})"


def path_regex(path: PathMatch) -> str:
    """Return the regex for the beginning of a path that is a prefix or an exact path."""
    end = r"\z" if path.kind is PathKind.EXACT else r"(?:/|\z)"
    return "" if path == EVERY_PATH else f"{re.escape(path.text)}{end}"


def first_parameter(name: str) -> str:
    """Return the regex of the first parameter with a name; it captures the value."""
    return rf"~^(?:[^&]*&)*?{sent_pattern(name)}(?:=([^&]*))?(?:&|\z)"


def first_cookie(name: str) -> str:
    """Return the regex of the first cookie with a name; it captures the value."""
    return rf"~^(?:[^;]*;)*?[ \t]*{re.escape(name)}=([^;]*?)[ \t]*(?:;|\z)"


def parameter_line(name: str, value: str | None) -> str:
    """Return the regex of a query whose first parameter with a name has a value; any, if it is None."""
    first = rf"(?:(?!{sent_pattern(name)}[=&\n])[^&\n]*&)*+{sent_pattern(name)}"
    return rf"{first}(?=[=&\n]){ANY}" if value is None else rf"{first}(?:=|(?=[&\n])){value}(?=[&\n]){ANY}"


def cookie_line(name: str, value: str | None) -> str:
    """Return the regex of the cookies whose first with a name has a value; any, if it is None."""
    first = rf"(?:(?![ \t]*{re.escape(name)}=)[^;\n]*;)*+[ \t]*{re.escape(name)}="
    return f"{first}{ANY}" if value is None else rf"{first}{value}(?<![ \t])(?=[ \t]*[;\n]){ANY}"


def finding(regex: str, ends: str) -> str | None:
    r"""Return the regex of a whole text in which a regex of the user's finds something.

    The text is behind another, and one of ``ends`` is behind it. There ``^`` can only be the beginning, and nothing may
    match an end. None for what needs a text of its own: other ``^``, looking behind, references to groups, ``\B``,
    which some find in an empty text, and ``\b`` of a parameter, which need not be behind a ``=``.
    """
    whole = f"[^{_listed(ends)}]*" if ends else ""
    before = f"{whole}?" if ends else "(?s:.*?)"
    found, depth = [before], 0
    for part in tokens(regex):
        if part == FOLDS:
            continue
        if part in {"^", r"\A"}:
            if depth or found[-1] != before:
                return None
            found[-1] = ""
        elif part.startswith("(?<") or re.match(r"\\[1-9B]", part) or (part == r"\b" and ends == PARAMETER):
            return None
        elif part == "|" and not depth:
            found.append(before)
        else:
            depth += part.startswith("(") - (part == ")")
            found[-1] += "(?:" if part == "(" else _before(ends, part) if ends else part
    choices = "|".join(f"{one}{whole}" for one in found)
    return f"{FINDS}(?i:{choices}))" if regex.startswith(FOLDS) else f"{FINDS}{choices})"


def _before(ends: str, part: str) -> str:
    """Return a part of a regex that matches none of ``ends``."""
    if part == "$":
        return f"(?=[{_listed(ends)}])"
    takes_one = part[0] not in "({*+?)|" and any(re.fullmatch(part, end, re.ASCII) for end in ends)
    return f"(?:(?![{_listed(ends)}]){part})" if takes_one else part


def _listed(ends: str) -> str:
    return ends.replace("\n", r"\n")


# All lines


def fields_of(part: Iterable[Row]) -> list[str]:
    """Return the variables that rules test, each once; the path is the last."""
    found = [variable for (tests, unless), _ in part for one in (tests, unless or {}) for variable in one]
    return [*dict.fromkeys(variable for variable in found if variable != PATH), PATH]


def text_of(fields: Sequence[str]) -> str:
    """Return the source of a map: a line for each field."""
    return '"' + r"\n".join(f"${{{one[1:]}}}" for one in fields) + '"'


def regex_of(fields: Sequence[str], tests: Tests, unless: Tests | None) -> str:
    """Return the regex of a rule for the lines of ``fields``."""
    but = "" if unless is None else f"(?!{_lines(fields, unless)})"
    return f"^{but}{_lines(fields, tests)}"


def _lines(fields: Sequence[str], tests: Tests) -> str:
    text, skipped = "", 0
    for variable in fields[:-1]:
        regexes = tests.get(variable)
        if not regexes:
            skipped += 1
            continue
        text += _skip(skipped)
        skipped = 0
        *others, last = regexes
        text += "".join(rf"(?={one}\n)" for one in others) + rf"{last}\n"
    *others, last = tests.get(PATH) or [""]
    # What comes before the path matters only if the path does.
    return text + (_skip(skipped) if last else "") + "".join(f"(?={one})" for one in others) + last


def _skip(lines: int) -> str:
    return "" if not lines else rf"{ANY}\n" if lines == 1 else rf"(?:{ANY}\n){{{lines}}}"
