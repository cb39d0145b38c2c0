"""The files of ``haproxy/custom`` that hold what has no key of ``x-stackctl``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from stackctl.adopt.haproxy.backends import OWN_OPTIONS, OldBackend, of_backend
from stackctl.adopt.haproxy.collecting import RULES, Collector, acls_in, limited, modern, with_acls
from stackctl.adopt.haproxy.fronts import Front, Rule
from stackctl.adopt.haproxy.sections import Section
from stackctl.adopt.haproxy.sites import FoundSite
from stackctl.adopt.haproxy.words import Line
from stackctl.adopt.proposal import Handling
from stackctl.model.values import is_ip
from stackctl.proxies.haproxy.layout import CUSTOM_FRONTEND, CUSTOM_SECTIONS, custom_site

_HEAD = "# Taken over from the old configuration by 'stackctl adopt'.\n"
_RESERVED = frozenset({"is_odd", "to_https"})
"""The ACLs of stackctl's own frontend."""

_MINOR = frozenset({"default-server", "timeout", "retries", "option"})
"""Lines of a back end without which requests are answered as before."""

_NOT_KEPT = frozenset({"log", "log-format", "log-tag", "mode", "description", "id"})
_BY_NAME = " resolvers docker resolve-prefer ipv4 init-addr last,libc,none"
"""How a server is found by its name, also one whose container comes later."""


def custom_files(
    fronts: Sequence[Front],
    sites: Sequence[FoundSite],
    backends: Mapping[str, OldBackend],
    sections: Sequence[str],
    collector: Collector,
) -> dict[str, str]:
    """Return the user's own files of the new stack, by name; ``sections`` are the texts of whole sections."""
    found = {
        CUSTOM_FRONTEND: _lines(_frontend(fronts, sites, collector)),
        CUSTOM_SECTIONS: "\n".join(dict.fromkeys(sections)),
        **{custom_site(one.site.name): _lines(_site(one, backends, collector)) for one in sites},
    }
    return {name: f"{_HEAD}{text}" for name, text in found.items() if text}


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"    {line}\n" for line in dict.fromkeys(lines))


# The frontend


def _frontend(fronts: Sequence[Front], sites: Sequence[FoundSite], collector: Collector) -> Iterator[str]:
    renamed = _renamed(fronts)
    for front in fronts:
        names = renamed[front.section.name]
        lines = [_scheme(front, fronts, text) for text in front.kept]
        for rule, test in _rules(front, sites):
            text = f"use_backend {kept_name(rule.backend, sites)} {rule.condition}"
            collector.say(Handling.KEPT, f"'{text}'", rule.at)
            lines.append(limited(collector.adjusted(text), test, f"!{test}"))
        used = {name for text in lines for name in acls_in(text)}
        for line in front.section.all("acl"):
            if len(line.words) > 1 and line.words[1] in used:
                yield with_acls(collector.adjusted(line.text), names)
        for text in lines:
            yield with_acls(text, names)


def _rules(front: Front, sites: Iterable[FoundSite]) -> Iterator[tuple[Rule, str]]:
    """Yield the rules of a section that are kept, each with the test of the requests that it decides about."""
    routes: dict[str, tuple[Rule, list[str]]] = {}
    for site in sites:
        for kept in site.rules:
            if kept.choice.front == front.section.name:
                routes.setdefault(kept.choice.rule.at, (kept.choice.rule, []))[1].extend(kept.routes)
    for rule, found in routes.values():
        yield rule, f"{{ var(txn.route) -m str {' '.join(dict.fromkeys(found))} }}"


def _scheme(front: Front, fronts: Sequence[Front], text: str) -> str:
    """Return a rule for the requests that the section gets, where others get those of the other scheme."""
    if text.partition(" ")[0] not in RULES or (front.plain and front.tls) or len(fronts) == 1:
        return text
    test, opposite = ("{ ssl_fc }", "!{ ssl_fc }") if front.tls else ("!{ ssl_fc }", "{ ssl_fc }")
    return limited(text, test, opposite)


def _renamed(fronts: Sequence[Front]) -> dict[str, dict[str, str]]:
    """Return the new names of ACLs that another section has too, by section: all lines are in one section now."""
    texts: dict[str, dict[str, list[tuple[str, ...]]]] = {}
    for front in fronts:
        for line in front.section.all("acl"):
            if len(line.words) > 1:
                texts.setdefault(line.words[1], {}).setdefault(front.section.name, []).append(line.words)
    clashing = {name for name, found in texts.items() if len({tuple(one) for one in found.values()}) > 1} | _RESERVED
    return {front.section.name: {name: f"{front.section.name}.{name}" for name in clashing} for front in fronts}


# The back ends of a site


def _site(found: FoundSite, backends: Mapping[str, OldBackend], collector: Collector) -> Iterator[str]:
    parts: dict[str, list[str]] = {}
    for route, name in found.backends.items():
        parts.setdefault(name, []).append(route)
    kept = _distinct({name: backends[name].kept for name in parts})
    rules = [text for lines in kept.values() for text in lines if not text.startswith("acl ")]
    if not rules:
        return
    for name, lines in kept.items():
        for text in lines:
            if len(parts) == 1 or all(text in other for other in kept.values()):
                yield text
            elif text.partition(" ")[0] in RULES | {"acl"}:
                test = f"{{ var(txn.route) -m str {' '.join(parts[name])} }}"
                yield text if text.startswith("acl ") else limited(text, test, f"!{test}")
            else:
                why = f"it is left out: it is of {name} alone, and all back ends of a site share their own lines"
                handling = Handling.CHANGED if text.partition(" ")[0] in _MINOR else Handling.UNSUPPORTED
                collector.say(handling, f"'{text}': {why}", backends[name].at)


def _distinct(kept: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Return the lines of back ends with other names for ACLs that two of them have, and not the same."""
    texts: dict[str, set[tuple[str, ...]]] = {}
    for lines in kept.values():
        own: dict[str, list[str]] = {}
        for text in lines:
            if text.startswith("acl "):
                own.setdefault(text.split()[1], []).append(text)
        for name, found in own.items():
            texts.setdefault(name, set()).add(tuple(found))
    clashing = [name for name, found in texts.items() if len(found) > 1]
    return {
        backend: [with_acls(text, {name: f"{backend}.{name}" for name in clashing}) for text in lines]
        for backend, lines in kept.items()
    }


# Whole sections


def kept_name(name: str, sites: Iterable[FoundSite]) -> str:
    """Return what a kept back end is called: no site has that name."""
    return f"{name}_kept" if any(name in one.backends for one in sites) else name


def section_text(section: Section, collector: Collector, name: str | None = None) -> str:
    """Return a whole section, with the lines of ``defaults`` that it inherits."""
    lines = [f"{section.kind} {name or section.name}".rstrip()]
    if section.kind in {"frontend", "backend", "listen"}:
        lines.append(f"    mode {section.mode}")
    for line in (*_inherited(section), *section.lines):
        if line.words[0] in _NOT_KEPT or (line.starts("option") and line.words[1:2] and line.words[1] in OWN_OPTIONS):
            continue
        text = modern(line)
        if text is None:
            collector.lost(line, "HAProxy has no such line any more")
            continue
        lines.append(f"    {collector.adjusted(text)}{_BY_NAME if _needs_resolver(line) else ''}")
    return "\n".join(lines) + "\n"


def _inherited(section: Section) -> Iterator[Line]:
    own = {line.words[:2] for line in section.lines}
    for line in section.inherited:
        if line.words[:2] in own:
            continue
        if section.kind == "listen" or of_backend(line) is (section.kind == "backend"):
            yield line


def _needs_resolver(line: Line) -> bool:
    if line.words[0] not in {"server", "server-template"} or {"resolvers", "init-addr"} & set(line.words):
        return False
    address = line.words[2 if line.words[0] == "server" else 3 : 4]
    host = address[0].rpartition(":")[0].strip("[]") if address else ""
    return bool(host) and not is_ip(host)
