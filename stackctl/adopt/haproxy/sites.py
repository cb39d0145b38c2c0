"""The sites of a HAProxy configuration: the names that it knows, each with its routes and its certificate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from stackctl.adopt.haproxy.backends import OldBackend
from stackctl.adopt.haproxy.choosing import (
    Choice,
    choices,
    is_plain,
    matching_route,
    plain_route,
    without_shadowed,
)
from stackctl.adopt.haproxy.collecting import Collector
from stackctl.adopt.haproxy.fronts import Front
from stackctl.adopt.proposal import Handling, ProposedSite
from stackctl.certs.lineage import Certificate
from stackctl.errors import InputError
from stackctl.model import endpoints, values
from stackctl.model.backends import Server
from stackctl.model.tuning import Tuning
from stackctl.model.values import Domain, ServiceName
from stackctl.proxies.haproxy.layout import backend_of
from stackctl.proxies.haproxy.units import milliseconds
from stackctl.stackfile.services import Value

TIMES = {"connect-timeout": Tuning().connect_timeout, "read-timeout": Tuning().read_timeout,
         "send-timeout": Tuning().send_timeout}  # fmt: skip
_OF_SITE = frozenset({"service", "port", "upstream"})


@dataclass(frozen=True, slots=True)
class OldCertificate:
    """A certificate that the old proxy served.

    Attributes:
        path: of the file with the chain, in the container.
        key: of the file with the key, which may be the same.
        lineage: the lineage of certbot's that has the same certificate, or None.
        near: another lineage for its names, or None.
    """

    path: str
    key: str
    certificate: Certificate
    lineage: str | None = None
    near: str | None = None


@dataclass(frozen=True, slots=True)
class KeptRule:
    """A rule that no route says.

    Attributes:
        routes: what ``txn.route`` is where the rule decides: no earlier rule does then.
    """

    choice: Choice
    routes: tuple[str, ...]


@dataclass
class FoundSite:
    """A site, and what of it has no key.

    Attributes:
        backends: the back ends of its routes, by what ``txn.route`` is then.
    """

    site: ProposedSite
    backends: dict[str, str] = field(default_factory=dict)
    rules: list[KeptRule] = field(default_factory=list)

    @property
    def root(self) -> str | None:
        """The back end of the requests that no route is for."""
        return self.backends.get(backend_of(self.site.name))


Entry = tuple[Choice, dict[str, Value] | None]
"""A choice, and its route; None for a rule that is kept."""


class SiteMaker:
    """Makes sites of the names that a configuration serves."""

    def __init__(
        self,
        fronts: Sequence[Front],
        backends: Mapping[str, OldBackend],
        certificates: Sequence[OldCertificate],
        collector: Collector,
    ) -> None:
        self._fronts = fronts
        self._backends = backends
        self._certificates = certificates
        self._collector = collector

    def names(self) -> list[Domain]:
        """Return every name that the configuration knows, in the order in which it has them."""
        found: dict[Domain, None] = {}
        tests = (
            (test, rule.at)
            for front in self._fronts
            for rule in front.rules
            for tests in rule.alternatives
            for test in tests
            if test.kind == "host"
        )
        moved = (
            (test, one.at)
            for front in self._fronts
            for one in (*front.moved, *front.https)
            for tests in one.alternatives
            for test in tests
            if test.kind == "host"
        )
        given = [(value, test, at) for test, at in (*tests, *moved) for value in test.values]
        for value, test, at in given:
            name = _site_name(value) if test.how == "str" else None
            if name is not None:
                found[name] = None
            elif test.how == "str":
                self._collector.say(Handling.UNSUPPORTED, f"{value!r} is no name of a site: '{test.text}'", at)
        for one in self._certificates:
            found |= dict.fromkeys(name for text in one.certificate.names if (name := _site_name(text)) is not None)
        for value, test, _ in given:
            # A domain with all below it is itself a name only where no other one is meant.
            name = _site_name(value) if test.how == "dom" and not any(map(test.of_host, found)) else None
            found |= {name: None} if name is not None else {}
        return list(found)

    def certificate_of(self, name: str) -> OldCertificate | None:
        """Return the certificate that a client is shown for ``name``; None for one that does not cover it."""
        return next(
            (one for one in self._certificates if name in one.certificate.names),
            next((one for one in self._certificates if one.certificate.covers(name)), None),
        )

    def choices_of(self, name: str) -> tuple[Choice, ...]:
        """Return what is done with the requests for ``name``: over HTTPS, where it has a certificate."""
        tls = self.certificate_of(name) is not None and any(front.tls for front in self._fronts)
        return choices([one for one in self._fronts if (one.tls if tls else one.plain)], name, tls=tls)

    def sites(self, names: Iterable[Domain]) -> list[FoundSite]:
        """Return the sites of ``names``; names with the same routes and the same certificate are one."""
        groups: dict[object, tuple[list[Domain], list[Choice], OldCertificate | None]] = {}
        for name in names:
            certificate = self.certificate_of(name)
            found = without_shadowed(self.choices_of(name), self._collector)
            # A back end without a server has a remark of its own.
            found = [one for one in found if self._backends[one.rule.backend].servers]
            signature = (tuple((one.tests, one.rule.backend) for one in found), certificate)
            if found:
                groups.setdefault(signature, ([], found, certificate))[0].append(name)
        return [self._site(*group) for group in groups.values()]

    def _site(self, names: list[Domain], left: list[Choice], certificate: OldCertificate | None) -> FoundSite:
        if certificate is not None and certificate.lineage in names:
            names = [Domain(certificate.lineage or ""), *(name for name in names if name != certificate.lineage)]
        root = left[-1] if left and not left[-1].tests else None
        conditional = [one for one in left if one is not root]
        entries = self._routes(conditional)
        own = self._keys(root) if root is not None else {}
        site = FoundSite(self._proposed(names, root or left[0], certificate, own))
        self._number(site, names[0], entries, root)
        return site

    def _routes(self, found: Sequence[Choice]) -> list[Entry]:
        """Return the route of each choice; None for one that is kept as a rule."""
        entries: list[Entry] = []
        for number, choice in enumerate(found):
            # Routes with nothing but paths come after all others: before such a one, a path is a rule too.
            alone = all(is_plain(later) for later in found[number:])
            route = plain_route(choice, self._collector) if is_plain(choice) and alone else None
            route = route or matching_route(choice, self._collector)
            entries.append((choice, None if route is None else {**route, **self._keys(choice)}))
        return entries

    def _keys(self, choice: Choice) -> dict[str, Value]:
        keys = self._backends[choice.rule.backend].keys
        return without_defaults(keys)

    def _proposed(
        self,
        names: list[Domain],
        first: Choice,
        certificate: OldCertificate | None,
        own: Mapping[str, Value],
    ) -> ProposedSite:
        server, tuning = only_server(own), other_keys(own)
        lineage = certificate.lineage if certificate else None
        imported = certificate if certificate is not None and lineage is None else None
        if imported is not None and imported.near is not None:
            text = (
                f"{imported.path} is not the certificate of certbot's {imported.near}: what was served is kept "
                f"until it is due; 'certificate: {imported.near}' serves certbot's"
            )
            self._collector.say(Handling.CHANGED, text, first.rule.at)
        shown = self._backends[first.rule.backend].servers
        return ProposedSite(
            tuple(names),
            server,
            first.rule.at,
            lineage=lineage,
            imported=imported.path if imported else None,
            imported_key=imported.key if imported else None,
            tuning=tuning,
            servers=tuple(one.address for one in shown),
        )

    def _number(
        self,
        found: FoundSite,
        name: Domain,
        entries: Sequence[Entry],
        root: Choice | None,
    ) -> None:
        """Add the routes, and the rules that are kept, which need the names of the routes after them."""
        top = backend_of(name)
        if root is not None:
            found.backends[top] = root.rule.backend
        number = 1 if root is not None else 0
        named: list[tuple[Choice, str | None]] = []
        routes: list[dict[str, Value]] = []
        own = found.site.tuning
        for choice, route in entries:
            if route is None:
                named.append((choice, None))
                continue
            number += 1
            routes.append({**route, **{key: TIMES[key] for key in TIMES if key in own and key not in route}})
            named.append((choice, backend_of(name, number)))
            found.backends[backend_of(name, number)] = choice.rule.backend
        for index, (choice, is_route) in enumerate(named):
            if is_route is None:
                after = [route for _, route in named[index:] if route is not None]
                found.rules.append(KeptRule(choice, (top, *after)))
        if routes:
            found.site = replace(found.site, tuning={**own, "routes": routes})


def _site_name(text: str) -> Domain | None:
    try:
        return values.site_domain(text)
    except InputError:
        return None


def without_defaults(keys: Mapping[str, Value]) -> dict[str, Value]:
    """Return keys without the times that stackctl has by itself."""
    return {
        key: value
        for key, value in keys.items()
        if key not in TIMES or milliseconds(str(value)) != milliseconds(TIMES[key])
    }


def other_keys(own: Mapping[str, Value]) -> dict[str, Value]:
    """Return the keys of a route that do not name its only server."""
    return {key: value for key, value in own.items() if key not in _OF_SITE}


def only_server(own: Mapping[str, Value]) -> Server | None:
    """Return the only server of a route; None for several."""
    if "service" in own:
        return Server.of(ServiceName(str(own["service"])), int(str(own["port"])))
    if "upstream" in own:
        return Server(endpoints.endpoint(str(own["upstream"])))
    return None
