"""nginx: the action of a location, and the rules that may answer first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from stackctl.model.endpoints import HTTP_PORT, HTTPS_PORT, Endpoint
from stackctl.proxies.nginx.blocked import is_blocked
from stackctl.proxies.nginx.directives import Directive, first, named
from stackctl.proxies.nginx.evaluate import Unknown, Values
from stackctl.proxies.nginx.matching import python_pattern
from stackctl.proxies.nginx.pages import MAINTENANCE
from stackctl.proxies.trace import Action, Block, Outcome, Rule, RuleKind, Share

Blocks = Sequence[Sequence[Directive]]
"""A location's directives, then those of the server around it, then those of http."""

_PASSES = ("proxy_pass", "grpc_pass", "fastcgi_pass", "uwsgi_pass", "scgi_pass")
_PORTS = {"http": HTTP_PORT, "https": HTTPS_PORT, "grpc": HTTP_PORT, "grpcs": HTTPS_PORT}
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_CHOSEN = re.compile(r"\$site_\w+")
_REWRITES = ("if", "rewrite")
_ACCESS = ("auth_basic", "auth_request", "deny", "limit_req", "limit_conn")
_SILENT = 444
_COMPARISON = 3
"""Parameters of an ``if`` that compares a variable."""


def action_of(chain: Blocks, http: Sequence[Directive], values: Values) -> Action:
    """Return how the innermost block of ``chain`` handles a request."""
    own = chain[0]
    answer = first(own, "return")
    if answer is not None:
        return _returned(answer)
    passing = first(own, *_PASSES)
    if passing is not None:
        return _passed(passing, chain, http, values)
    for name in ("try_files", "alias", "root"):
        for block in chain:
            files = first(block, name)
            if files is not None:
                return Action(Outcome.FILES, files.head, files.at)
    at = own[0].at if own else ""
    return Action(Outcome.FILES, "files of nginx's own html directory", at)


def _returned(answer: Directive) -> Action:
    code = int(answer.args[0]) if answer.args[0].isdigit() else 302
    if code == _SILENT:
        return Action(Outcome.CLOSE, answer.head, answer.at, code)
    outcome = Outcome.REDIRECT if code in {301, 302, 303, 307, 308} else Outcome.ANSWER
    return Action(outcome, answer.head, answer.at, code)


def _passed(passing: Directive, chain: Blocks, http: Sequence[Directive], values: Values) -> Action:
    url = _filled(passing.args[0], chain)
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = passing.name.removesuffix("_pass"), url
    host = rest.partition("/")[0]
    # Maps choose the group of servers; a path without its prefix follows in a variable.
    chosen = _CHOSEN.match(host)
    host = chosen[0] if chosen else host.partition("$site_")[0]
    action = Action(Outcome.PROXY, passing.head, passing.at, scheme=scheme)
    return action if rest.startswith("unix:") else _shared(_to(action, host, http), http, values)


def _to(action: Action, host: str, http: Sequence[Directive], *, chosen: bool = False) -> Action:
    """Return an action that passes requests on, with the targets behind ``host``: an upstream group, or an address.

    ``chosen`` is whether a map chooses the group for a client.
    """
    group = next((one for one in named(http, "upstream") if one.args == (host,)), None)
    if group is not None:
        # Without others, a canary's clients get the servers beside it: a backup is not theirs.
        unused = {"down", "backup"} if chosen else {"down"}
        servers = [server for server in named(group.inner, "server") if not unused.intersection(server.args)]
        targets = tuple(filter(None, (_target(server.args[0], HTTP_PORT) for server in servers)))
        return replace(action, targets=targets, group=Block(group.head, group.at))
    if "$" in host:
        return replace(action, chosen=host)
    target = _target(host, _PORTS.get(action.scheme or "", HTTP_PORT))
    return replace(action, targets=(target,) if target else ())


def _shared(action: Action, http: Sequence[Directive], values: Values) -> Action:
    """Return an action whose target is chosen by a variable, with each target and the share of the clients that get it.

    A cookie of the request may decide it for this one.
    """
    if action.chosen is None:
        return action
    try:
        found = [
            (share, _to(replace(action, chosen=None), host, http, chosen=True))
            for share, host in values.shares(action.chosen)
        ]
    except Unknown:
        return action
    if len(found) == 1:
        return found[0][1]
    shares = tuple(Share(share, one.targets) for share, one in found)
    return replace(action, targets=tuple(dict.fromkeys(at for one in shares for at in one.targets)), shares=shares)


def _filled(url: str, chain: Blocks) -> str:
    """Return ``url`` with the variables that are ``set`` to plain words."""
    known = {one.args[0]: one.args[1] for block in reversed(chain) for one in named(block, "set") if len(one.args) == 2}
    return _VARIABLE.sub(lambda match: known.get(f"${match[1] or match[2]}", match[0]), url)


def _target(text: str, default: int) -> Endpoint | None:
    if text.startswith("unix:"):
        return None
    match = re.fullmatch(r"(\[[^\]]+\]|[^:]+)(?::(\d+))?", text)
    return Endpoint(match[1].strip("[]"), int(match[2] or default)) if match else None


def rules_of(chain: Blocks, name: str, values: Values) -> tuple[Rule, ...]:
    """Return the rules that may answer a request for ``name`` before the action, depending on more than ``values``."""
    rules = [
        Rule(_kind(one), _shown(one), one.at)
        for block in reversed(chain)
        for one in named(block, *_REWRITES)
        if not _cannot_answer(one, name, values)
    ]
    for access in _ACCESS:
        # These are inherited as a whole, unless an inner block has its own.
        level = next((found for block in chain if (found := list(named(block, access)))), [])
        rules += [Rule(RuleKind.ACCESS, _shown(one), one.at) for one in level if one.args != ("off",)]
    return tuple(rules)


def _kind(rule: Directive) -> RuleKind:
    rewrite = first(rule.inner, "rewrite") if rule.name == "if" else rule
    if rule.name == "if" and is_blocked(rule.arg):
        return RuleKind.ACCESS
    return RuleKind.MAINTENANCE if rewrite and MAINTENANCE in rewrite.args else RuleKind.REWRITE


def first_answer(server: Sequence[Directive], name: str, values: Values) -> tuple[Action, tuple[Rule, ...]] | None:
    """Return what a condition on ``$host`` answers before any location is searched, and the rules before it."""
    for index, one in enumerate(server):
        if one.name == "return":
            return None
        answer = first(one.inner, "return") if one.name == "if" else None
        if answer is not None and one.arg == "$host" and _is_on_name(one) and _holds(name, *one.args[1:]):
            return _returned(answer), rules_of([server[:index]], name, values)
    return None


def _is_on_name(rule: Directive) -> bool:
    return rule.arg in {"$host", "$ssl_server_name"} and len(rule.args) == _COMPARISON


def _cannot_answer(rule: Directive, name: str, values: Values) -> bool:
    """Return whether a condition only ends rewrites, or does not hold for a request for ``name``.

    One that holds is the action itself.
    """
    if rule.name != "if":
        return False
    if {one.name for one in rule.inner} == {"break"}:
        return True
    if _is_on_name(rule):
        return _holds(name, *rule.args[1:]) is False
    if rule.arg != "$request_method" and not rule.arg.startswith(("$site_", "$edge_")):
        return False
    try:
        return not values.holds(rule)
    except Unknown:
        return False


def _holds(value: str, operator: str, operand: str) -> bool | None:
    """Return the result of a comparison in an ``if``; None where Python cannot compile the regex."""
    negated = operator.startswith("!")
    if operator in {"=", "!="}:
        return (value == operand) is not negated
    try:
        found = re.search(python_pattern(operand), value, re.IGNORECASE if operator.endswith("*") else 0)
    except re.error:
        return None
    return (found is not None) is not negated


def _shown(rule: Directive) -> str:
    inside = first(rule.inner, "return", "rewrite", "proxy_pass") if rule.name == "if" else None
    return f"{rule.head} {inside.head}" if inside else rule.head
