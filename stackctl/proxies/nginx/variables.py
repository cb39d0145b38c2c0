"""nginx: the names of a site's own variables, and texts that need one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from stackctl.model.backends import Backend
from stackctl.model.matching import Conditions
from stackctl.model.routing import Redirect, Site
from stackctl.model.values import Domain
from stackctl.proxies.nginx.quoting import literal

_LONGEST = 3000
"""Of one parameter: nginx refuses one that is longer than 4096 bytes."""


@dataclass
class Variables:
    """The variables of a site: nginx has one space of names for all sites, and compares them without regard to case.

    A digest is as long for any domain: nginx keeps them in a table whose rows have room for 46 characters.
    """

    site: Domain
    texts: dict[str, str] = field(default_factory=dict)
    """Values that are no parameter as they are, by variable."""

    def named(self, what: str) -> str:
        """Return the variable for ``what``: lower-case letters and digits."""
        digest = hashlib.sha256(self.site.encode()).hexdigest()[:16]
        return f"$site_{digest}_{what}"

    def text(self, text: str, tail: str = "") -> str:
        """Return one parameter for any text, followed by the variable ``tail``.

        ``$`` has no escape where nginx replaces variables, so such a text is the value of ``geo``, which replaces
        none.
        """
        quoted = literal(text)
        if "$" not in text and len(quoted.encode()) < _LONGEST:
            return f'{quoted[:-1]}{_embedded(tail)}"' if tail else quoted
        chunks = [text[start : start + _LONGEST // 8] for start in range(0, len(text), _LONGEST // 8)]
        names = []
        for chunk in chunks:
            name = self.named(f"text{len(self.texts) + 1}")
            self.texts[name] = literal(chunk)
            names.append(name)
        return joined(*names, tail)


def joined(*variables: str) -> str:
    """Return one parameter with the values of variables, an empty one for none."""
    return f'"{"".join(map(_embedded, variables))}"'


def most_variables(site: Site) -> int:
    """Return how many variables of its own a site has at most."""
    count = 0
    for route in site.routes:
        count += len(route.match.all_of.paths) if route.strip else 0
        action = route.action
        if isinstance(action, Backend):
            count += 2 if action.canary else 0
            count += 0 if action.health is None else 3 if action.canary else 1
        texts = () if isinstance(action, Backend) else (action.to,) if isinstance(action, Redirect) else (action.text,)
        count += sum(1 + len(text) // (_LONGEST // 8) for text in texts if "$" in text or len(text) > _LONGEST // 8)
        if route.is_rule:
            conditions = (route.match.all_of, route.match.none_of or Conditions())
            fields = sum(len(of.headers) + len(of.query) + len(of.cookies) for of in conditions)
            count += 5 + 3 * fields
    return count


def _embedded(variable: str) -> str:
    return f"${{{variable[1:]}}}" if variable else ""
