"""HAProxy: evaluates the conditions that stackctl writes, for a request that is only described."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from ipaddress import ip_address, ip_network

from stackctl.model.fields import Request
from stackctl.model.paths import query_of
from stackctl.model.patterns import as_bytes

_ACL = re.compile(r"^acl (?P<name>c\d+) (?P<fetch>\S+) (?P<rest>.*)$")
_VARIABLE = re.compile(r"^http-request set-var\((?P<name>txn\.v\d+)\) (?P<value>.*) if (?P<if>.*)$")
_REGSUB = re.compile(r"regsub\('(?P<regex>.*)','\\1'\)\Z", re.DOTALL)


class Acls:
    """The named conditions of the frontend, for one request to one site; None stands for what depends on more."""

    def __init__(self, lines: Sequence[str], request: Request, path: str, site: str) -> None:
        self._request, self._path, self._site = request, path, site
        self._acls: dict[str, list[tuple[str, str]]] = {}
        self._variables: dict[str, str] = {}
        for text in map(str.strip, lines):
            if (acl := _ACL.match(text)) is not None:
                self._acls.setdefault(acl["name"], []).append((acl["fetch"], acl["rest"]))
            elif (variable := _VARIABLE.match(text)) is not None:
                self._set(variable)

    def _set(self, line: re.Match[str]) -> None:
        if f"-m str {self._site} }}" not in line["if"] or not self.holds(f"x if {line['if']}"):
            return
        (word,) = shlex.split(line["value"])
        if word.startswith("lua."):
            return  # the request already has all values of its headers
        fetch, _, _ = word.partition(",")
        found, value = _REGSUB.search(word), self._fetched(fetch)
        if found is not None and value is not None:
            match = _compiled(found["regex"]).match(as_bytes(value))
            value = (match[1] or "").encode("latin-1").decode("utf-8", "surrogateescape") if match else value
        if value is not None:
            self._variables[line["name"]] = value

    def holds(self, line: str) -> bool | None:
        """Return whether the condition of a line holds; None where that depends on more than the request."""
        results: list[bool | None] = []
        for negated, word in re.findall(r"(!?)(c\d+|\{ [^}]* \})", line.partition(" if ")[2]):
            result: bool | None = self._named(word) if word.startswith("c") else self._anonymous(word)
            results.append(None if result is None else result is not bool(negated))
        if any(one is False for one in results):
            return False
        return None if None in results else True

    def _anonymous(self, text: str) -> bool | None:
        if text == "{ var(txn.route) -m found }":
            return False
        if text.startswith("{ var(txn.site) -m str "):
            return text == f"{{ var(txn.site) -m str {self._site} }}"
        return None

    def _named(self, name: str) -> bool | None:
        results = [self._one(fetch, rest) for fetch, rest in self._acls.get(name, ())]
        return True if True in results else None if None in results else False

    def _one(self, fetch: str, rest: str) -> bool | None:
        words = shlex.split(rest)
        if fetch == "src":
            return self._is_from(words[1:])
        value = self._fetched(fetch)
        if words[:2] == ["-m", "found"]:
            return value is not None
        if value is None:
            return False
        if words[:2] == ["-m", "len"]:
            return bool(value)
        if words[:2] == ["-m", "str"]:
            return value in words[3:]
        return any(_compiled(pattern).search(as_bytes(value)) is not None for pattern in words[3:])

    def _is_from(self, networks: Sequence[str]) -> bool | None:
        if self._request.source is None:
            return None
        address = ip_address(str(self._request.source))
        return any(address in ip_network(network) for network in networks)

    def _fetched(self, fetch: str) -> str | None:
        kind, _, argument = fetch.rstrip(")").partition("(")
        if kind == "var":
            return self._path if argument == "txn.path" else self._variables.get(argument)
        if kind == "req.fhdr":
            return self._request.header(argument)
        return {"method": self._request.method, "query": query_of(self._request.target)}.get(kind)


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(as_bytes(pattern).replace(r"\z", r"\Z").replace("(?<g", "(?P<g"), re.ASCII)
