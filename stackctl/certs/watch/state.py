"""What the program remembers from one look to the next: what each receiver was sent, and who did not take a message."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from stackctl.certs.issuer.copies import replace_text
from stackctl.certs.watch.judge import PASSING, SEEN_ON_WIRE, Problem, problems
from stackctl.certs.watch.news import as_sent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from stackctl.certs.watch.look import Facts
    from stackctl.certs.watch.settings import Receiver, Settings

PING = "ping"
"""Stands for the URL of the ping where receivers are named by their ids."""

_AGAIN = 200.0
"""Seconds for which a problem that may pass must have been there."""


class State:
    """The state after a look.

    Attributes:
        problems: those that receivers are to know of.
        failing: who did not take the last message, by id: ``since``, ``reason`` and ``label``.
    """

    def __init__(self, path: Path, settings: Settings, facts: Facts) -> None:
        self._path, self._settings, self._now = path, settings, facts.now.timestamp()
        before = loaded(path)
        self._labels = {one.id: one.label for one in settings.receivers}
        if settings.ping is not None:
            self._labels[PING] = "the ping"
        self._sent: dict[str, dict[str, list[str]]] = before["sent"]
        self.failing = {name: one for name, one in before["failing"].items() if name in self._labels}
        found = problems(settings, facts)
        self._seen = {one.identity: min(before["seen"].get(one.identity, self._now), self._now) for one in found}
        steady = [one for one in found if one.kind not in PASSING or self._now - self._seen[one.identity] >= _AGAIN]
        self.problems = (*steady, *self._unseen(facts))

    def _unseen(self, facts: Facts) -> Iterator[Problem]:
        """Yield the problems that receivers know of, and that this look says nothing about: they are not over."""
        known = {identity: row for rows in self._sent.values() for identity, row in rows.items()}
        sites = {site.name for site in self._settings.sites} - facts.served.keys() - facts.parked.keys()
        for identity, (stage, text) in known.items():
            kind, _, name = identity.partition(" ")
            if kind in SEEN_ON_WIRE and name in sites:
                yield Problem(kind, name, text.partition(": ")[2], stage)

    def sent(self, receiver: Receiver) -> Mapping[str, Sequence[str]]:
        """Return what a receiver was sent, for :func:`~stackctl.certs.watch.news.news`."""
        return self._sent.get(receiver.id, {})

    def note(self, results: Mapping[str, str | None]) -> Iterator[str]:
        """Note who took a message, and who did not, and yield a line for the log about each of them."""
        for name, reason in results.items():
            if reason is None:
                self.failing.pop(name, None)
                if name != PING:
                    self._sent[name] = as_sent(self.problems)
            else:
                since = self.failing.get(name, {}).get("since", self._now)
                self.failing[name] = {"since": since, "reason": reason, "label": self._labels[name]}
                yield f"alerts: {self._labels[name]}: {reason}"

    def save(self) -> None:
        """Write it, for the next look and for 'stackctl doctor'.

        Raises:
            OSError: it cannot be written; on a full disk, the space of the old one is used.
        """
        sent = {name: self._sent.get(name, {}) for name in self._labels if name != PING}
        state = {"at": self._now, "seen": self._seen, "sent": sent, "failing": self.failing}
        state["problems"] = [list(one) for one in self.problems]
        text = json.dumps(state, indent=1, sort_keys=True) + "\n"
        try:
            replace_text(self._path, text)
        except OSError:
            self._path.write_text(text, encoding="utf-8")


def loaded(path: Path) -> dict[str, Any]:
    """Return the state of the last look; what cannot be read is as it is before the first one."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        sent = {
            str(name): {str(identity): [str(stage), str(text)] for identity, (stage, text) in rows.items()}
            for name, rows in found["sent"].items()
        }
        failing = {
            str(name): {"since": float(one["since"]), "reason": str(one["reason"]), "label": str(one["label"])}
            for name, one in found["failing"].items()
        }
        seen = {str(identity): float(at) for identity, at in found["seen"].items()}
        known = [[str(part) for part in row] for row in found.get("problems", [])]
        return {"at": float(found["at"]), "sent": sent, "failing": failing, "seen": seen, "problems": known}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {"at": None, "sent": {}, "failing": {}, "seen": {}, "problems": []}
