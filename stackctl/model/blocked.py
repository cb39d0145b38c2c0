"""Addresses whose requests are refused, in the Compose file and in lists that are files of the stack."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

from stackctl.errors import InputError
from stackctl.model.match_values import network
from stackctl.model.matching import Network, as_few
from stackctl.model.pages import PageFile

_WIDEST = {4: 8, 6: 16}
"""The shortest prefixes: a list that has more is a mistake, and would lock everybody out."""

_COMMENT = re.compile(r"[#;].*")


@dataclass(frozen=True, slots=True)
class Blocked:
    """The clients that get 403; false for none.

    Attributes:
        networks: those of the Compose file.
        lists: files with an address or a network in each line.
    """

    networks: tuple[Network, ...] = ()
    lists: tuple[PageFile, ...] = field(default=())

    def __bool__(self) -> bool:
        return bool(self.networks or self.lists)

    def all(self, contents: Mapping[str, bytes]) -> tuple[Network, ...]:
        """Return all of them in as few networks as possible; ``contents`` has the files, by path."""
        return as_few(self._each(contents))

    def network_of(self, client: IPv4Address | IPv6Address, contents: Mapping[str, bytes]) -> Network | None:
        """Return one of the networks that a client is in; None if it is let through."""
        return next((one for one in self._each(contents) if client in one), None)

    def _each(self, contents: Mapping[str, bytes]) -> Iterator[Network]:
        yield from self.networks
        for file in self.lists:
            yield from networks_in(contents.get(file.path, b""), file.path)


def blocked_network(text: str) -> Network:
    """Return ``text`` as an address or a network that may be blocked."""
    found = network(text)
    if found.prefixlen < _WIDEST[found.version]:
        raise InputError(
            f"{text!r} is a large part of all addresses", hint=f"write networks of /{_WIDEST[found.version]} or longer"
        )
    return found


def networks_in(content: bytes, path: str) -> Iterator[Network]:
    """Yield the networks of a list: one in each line, with comments behind ``#`` or ``;``.

    Raises:
        InputError: a line is something else; with its place.
    """
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), start=1):
        text = _COMMENT.sub("", line.removeprefix("\ufeff")).strip()
        if not text:
            continue
        try:
            yield blocked_network(text)
        except InputError as error:
            raise InputError(error.message, where=f"{path}:{number}", hint=error.hint) from error
