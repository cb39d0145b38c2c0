"""How the lines of a HAProxy configuration are converted: remarks, kept lines, and the files that those refer to."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping

from stackctl.adopt.haproxy.words import Line, raw_words
from stackctl.adopt.kept_files import OldFiles
from stackctl.adopt.proposal import Handling, Remark
from stackctl.proxies.haproxy.layout import CUSTOM
from stackctl.proxies.haproxy.quoting import fmt, word

_FILE = re.compile(
    r"(?P<before>(?:(?:^|\s)(?:-f|errorfile\s+\d+|lua-load(?:-per-thread)?|ca-file|crl-file|crt|file|lf-file)\s+|"
    r"\bmap\w*\()[\"']?)(?P<path>/[^\s\"',)]+)"
)
_ADDED = {"reqadd": "http-request", "rspadd": "http-response"}
_DELETED = {"reqdel": "http-request", "reqidel": "http-request", "rspdel": "http-response", "rspidel": "http-response"}
_NAME = re.compile(r"\^?(?P<name>[A-Za-z0-9-]+):?(?:\.\*)?\Z")
CONDITIONS = frozenset({"if", "unless"})
_OR = frozenset({"or", "||"})
RULES = frozenset({"http-request", "http-response", "http-after-response", "use_backend"})
"""Lines that may end with a condition."""


class Collector:
    """Collects what adoption says about lines, and the files that kept lines need."""

    def __init__(self, old: OldFiles) -> None:
        self._old = old
        self.remarks: list[Remark] = []
        self.copies: dict[str, str] = {}

    def say(self, handling: Handling, text: str, at: str) -> None:
        """Add a remark."""
        self.remarks.append(Remark(handling, text, at))

    def lost(self, line: Line, why: str = "") -> None:
        """Say that a line has no equivalent."""
        self.say(Handling.UNSUPPORTED, f"'{line.text}'{f': {why}' if why else ''}", line.at)

    def replaced(self, line: Line, by: str = "stackctl's configuration has its own") -> None:
        """Say that a line has an equivalent."""
        self.say(Handling.REPLACED, f"'{line.text}': {by}", line.at)

    def own_option(self, line: Line) -> list[str]:
        """Say that an option has an equivalent, and return the line for what the equivalent does not do."""
        self.replaced(line)
        if not line.starts("option", "forwardfor"):
            return []
        text = "the app gets the client's address alone in X-Forwarded-For: what the client sent there is dropped"
        if all(one.text != text for one in self.remarks):
            self.say(Handling.CHANGED, text, line.at)
        words = line.words
        name = words[words.index("header") + 1] if "header" in words[:-1] else "x-forwarded-for"
        return [] if name.lower() == "x-forwarded-for" else [f"http-request set-header {name} %[src]"]

    def keep(self, line: Line) -> str | None:
        """Return a line as HAProxy 3 reads it, with the paths of the new container; None if there is no such line."""
        text = modern(line)
        if text is None:
            self.lost(line, "HAProxy has no such line any more")
            return None
        self.say(Handling.KEPT, f"'{text}'", line.at)
        return self.adjusted(text)

    def adjusted(self, text: str) -> str:
        """Return a line with the paths of the new container; the files that it has not are copied."""
        return _FILE.sub(lambda found: f"{found['before']}{self._place(found['path'])}", text)

    def _place(self, path: str) -> str:
        if self._old.stays(path):
            return path
        name = posixpath.basename(path).lstrip(".") or "file"
        while self.copies.get(name, path) != path or name.endswith((".cfg", ".pem")):
            name = f"{name}_"
        self.copies[name] = path
        return (CUSTOM / name).mount


def modern(line: Line) -> str | None:
    """Return a line as HAProxy 3 reads it; None for one that has no equivalent of one line."""
    head, *rest = line.words
    if head == "block":
        return f"http-request deny {line.text.partition(' ')[2].strip()}"
    if head == "redirect":
        return f"http-request {line.text}"
    if head in _ADDED and rest and ":" in rest[0]:
        name, _, value = rest[0].partition(":")
        return " ".join([_ADDED[head], "add-header", word(name), word(fmt(value.strip())), *raw_words(line.text)[2:]])
    if head in _DELETED and rest and (found := _NAME.match(rest[0])):
        return " ".join([_DELETED[head], "del-header", found["name"], *raw_words(line.text)[2:]])
    if re.match(r"(?:req|rsp)(?:i?(?:add|allow|del|deny|pass|rep|tarpit)|i?setbe)\Z", head) or head == "appsession":
        return None
    return line.text


def condition_at(words: Iterable[str]) -> int | None:
    """Return where the condition of a rule begins among its words; None without one."""
    return next((number for number, word in enumerate(words) if word in CONDITIONS), None)


def split_rule(text: str) -> tuple[list[str], str, list[str]]:
    """Return the words of a rule, ``if`` or ``unless``, and the words of its condition; all as they are written."""
    words = raw_words(text)
    at = condition_at(words)
    return (words, "", []) if at is None else (words[:at], words[at], words[at + 1 :])


def limited(text: str, test: str, opposite: str) -> str:
    """Return a rule that also needs ``test``; ``opposite`` is what does not hold then."""
    head, word, condition = split_rule(text)
    if not word:
        return f"{text} if {test}"
    if word == "unless":
        return " ".join([*head, word, *condition, "or", opposite])
    parts: list[list[str]] = [[]]
    for one in condition:
        if one in _OR:
            parts.append([])
        else:
            parts[-1].append(one)
    return " ".join([*head, word, " or ".join(" ".join([test, *part]) for part in parts if part)])


def acls_in(text: str) -> Iterator[str]:
    """Yield the names of the ACLs in the condition of a rule."""
    depth = 0
    for one in split_rule(text)[2]:
        bare = one.lstrip("!")
        depth += (bare == "{") - (bare == "}")
        if not depth and bare not in {"", "}", *_OR}:
            yield bare


def with_acls(text: str, names: Mapping[str, str]) -> str:
    """Return a rule, or an ``acl`` line, with other names for ACLs."""
    words = raw_words(text)
    if words[:1] == ["acl"]:
        return " ".join(["acl", names.get(words[1], words[1]), *words[2:]])
    head, word, condition = split_rule(text)
    if not word:
        return text
    renamed, depth = list[str](), 0
    for one in condition:
        bare = one.lstrip("!")
        depth += (bare == "{") - (bare == "}")
        renamed.append(one if depth or bare not in names else f"{one[: len(one) - len(bare)]}{names[bare]}")
    return " ".join([*head, word, *renamed])
