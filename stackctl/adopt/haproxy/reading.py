"""Converts a HAProxy configuration to a proposal: names become sites, rules routes, and other lines are kept."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from stackctl.adopt.comparison import STRANGER
from stackctl.adopt.config_changes import REDIRECTED
from stackctl.adopt.haproxy.backends import OldBackend, of_backend, read_backend
from stackctl.adopt.haproxy.choosing import choices
from stackctl.adopt.haproxy.collecting import Collector
from stackctl.adopt.haproxy.conditions import ReadFile, read_acls
from stackctl.adopt.haproxy.fronts import Bind, Front, FrontReader, binds_of
from stackctl.adopt.haproxy.kept import custom_files, kept_name, section_text
from stackctl.adopt.haproxy.redirects import is_challenge
from stackctl.adopt.haproxy.sections import Section
from stackctl.adopt.haproxy.servers import ServerReader
from stackctl.adopt.haproxy.shared import shared_times
from stackctl.adopt.haproxy.sites import FoundSite, OldCertificate, SiteMaker
from stackctl.adopt.kept_files import OldFiles
from stackctl.adopt.proposal import Handling, Proposal, ProposedRedirect
from stackctl.errors import InputError
from stackctl.model.endpoints import HTTP_PORT, HTTPS_PORT
from stackctl.model.values import Domain
from stackctl.stackfile.services import Value
from stackctl.wording import listed

_WEB = frozenset({HTTP_PORT, HTTPS_PORT})
_GLOBAL = re.compile(
    r"(?:log|log-tag|log-send-hostname|chroot|pidfile|maxconn|user|group|uid|gid|daemon|nbproc|nbthread|cpu-map|"
    r"master-worker|ulimit-n|stats|ca-base|crt-base|key-base|tune\..*|ssl-.*|spread-checks|external-check|"
    r"hard-stop-after|expose-fd|quiet|node|description|default-path|server-state-\w+|load-server-state-\w+|no)\Z"
)
"""Lines of ``global`` that stackctl's own configuration has, or that say nothing about requests."""

_SAID = {"log": "the log is what the container prints", "stats": "'stackctl status' and 'stackctl doctor' ask HAProxy"}


@dataclass(frozen=True, slots=True)
class OldProxy:
    """What is known around a configuration.

    Attributes:
        services: the Compose services by the hosts and the addresses that lead to them, in lower case.
        read_file: returns the text of a file of the old container.
        old: which files the new container has too.
    """

    sections: tuple[Section, ...]
    read_file: ReadFile
    services: Mapping[str, str]
    old: OldFiles


def certificate_base(sections: Iterable[Section]) -> str:
    """Return the directory that paths of certificates are relative to; empty without one."""
    return next((line.words[1] for one in sections if one.kind == "global" for line in one.all("crt-base")), "")


def certificate_paths(sections: Iterable[Section]) -> tuple[tuple[str, str], ...]:
    """Return what ``bind`` lines name: ``crt`` or ``crt-list``, with the path of the file or of the directory."""
    sections = list(sections)
    base = certificate_base(sections)
    found = [
        (kind, path if path.startswith("@") or kind == "crt-list" else posixpath.join(base, path))
        for section in sections
        for bind in (binds_of(section) if section.kind in {"frontend", "listen"} else ())
        for kind, path in bind.certificates
    ]
    return tuple(dict.fromkeys(found))


def read_proposal(proxy: OldProxy, certificates: Sequence[OldCertificate]) -> tuple[Proposal, tuple[Front, ...]]:
    """Return the proposal for a configuration, and what listens in it.

    Raises:
        InputError: HAProxy does not load it either: an ACL, a back end or a map does not exist.
    """
    return _Reading(proxy, certificates).read()


class _Reading:
    def __init__(self, proxy: OldProxy, certificates: Sequence[OldCertificate]) -> None:
        self._proxy = proxy
        self._certificates = certificates
        self._collector = Collector(proxy.old)
        self._behind = {one.name: one for one in proxy.sections if one.kind in {"backend", "listen"}}
        self._kept: dict[tuple[str, str], Section] = {}

    def read(self) -> tuple[Proposal, tuple[Front, ...]]:
        fronts = list(self._fronts())
        backends = self._backends(fronts)
        maker = SiteMaker(fronts, backends, self._certificates, self._collector)
        names = maker.names()
        redirects, moved = self._redirects(fronts, names, maker)
        found = maker.sites([name for name in names if name not in moved])
        for site in found:
            self._schemes(site, fronts, backends, maker)
        tuning, sites = shared_times([one.site for one in found])
        tuning |= self._unknown(fronts, found, backends)
        for front in fronts:
            tuning |= self._edge(front, found)
        blocked = list(dict.fromkeys(one for front in fronts for one in front.blocked))
        tuning |= {"block": {"addresses": blocked}} if blocked else {}
        for name in dict.fromkeys(rule.choice.rule.backend for one in found for rule in one.rules):
            self._kept.setdefault(("backend", kept_name(name, found)), self._behind[name])
        texts = [*self._global(), *(section_text(one, self._collector, name) for (_, name), one in self._kept.items())]
        files = custom_files(fronts, found, backends, texts, self._collector)
        if not sites and not redirects:
            at = next((front.section.at for front in fronts), "")
            text = "no rule and no certificate says a name, and each site has one: write 'acl NAME hdr(host) DOMAIN'"
            self._collector.say(Handling.UNSUPPORTED, text, at)
        proposal = Proposal(
            sites=tuple(sites),
            redirects=tuple(redirects),
            tuning=tuning,
            files=files,
            copies=self._collector.copies,
            remarks=tuple(dict.fromkeys(self._collector.remarks)),
        )
        return proposal, tuple(fronts)

    # Sections

    def _fronts(self) -> Iterator[Front]:
        reader = FrontReader(self._collector, self._proxy.read_file)
        for section in self._proxy.sections:
            if section.kind not in {"frontend", "listen"}:
                continue
            binds = binds_of(section)
            if not binds:  # a 'listen' without one is a back end
                continue
            if not any(bind.port in _WEB for bind in binds):
                self._elsewhere(section, binds)
            elif section.mode != "http":
                text = f"'{section.kind} {section.name}' passes on the connections of the web (mode {section.mode})"
                self._collector.say(Handling.UNSUPPORTED, text, section.at)
            else:
                yield reader.read(section, binds)

    def _elsewhere(self, section: Section, binds: Sequence[Bind]) -> None:
        """Keep a section on another port, with the back ends that it names."""
        if any(bind.tls for bind in binds):
            text = f"'{section.kind} {section.name}' has TLS on a port other than 443"
            self._collector.say(Handling.UNSUPPORTED, text, section.at)
            return
        self._kept[section.kind, section.name] = section
        lines = (*section.inherited, *section.lines)
        for line in lines:
            if line.words[0] in {"use_backend", "default_backend"} and len(line.words) > 1:
                self._kept["backend", line.words[1]] = self._known(line.words[1], line.at)
        self._collector.say(Handling.KEPT, f"the section '{section.kind} {section.name}'", section.at)

    def _known(self, name: str, at: str) -> Section:
        if name not in self._behind:
            raise InputError(f"there is no back end '{name}'", where=at)
        return self._behind[name]

    def _global(self) -> Iterator[str]:
        lines: list[str] = []
        for section in self._proxy.sections:
            if section.kind == "global":
                for line in section.lines:
                    head = line.words[0]
                    if head in _SAID:
                        self._collector.replaced(line, _SAID[head])
                    elif not _GLOBAL.match(head) and (text := self._collector.keep(line)) is not None:
                        lines.append(f"    {text}\n")
            elif section.kind in {"resolvers", "crt-store", "program"}:
                text = f"the section '{section.kind} {section.name}': stackctl's configuration has its own"
                self._collector.say(Handling.REPLACED, text, section.at)
            elif section.kind not in {"defaults", "frontend", "backend", "listen"}:
                self._collector.say(Handling.KEPT, f"the section '{section.kind} {section.name}'", section.at)
                yield section_text(section, self._collector)
        if lines:
            yield "global\n" + "".join(lines)

    def _backends(self, fronts: Sequence[Front]) -> dict[str, OldBackend]:
        """Return the back ends that rules lead to."""
        reader = ServerReader(self._collector, self._proxy.services)
        found: dict[str, OldBackend] = {}
        acme: set[str] = set()
        for rule in (rule for front in fronts for rule in front.rules):
            section = self._known(rule.backend, rule.at)
            real = [one for one in rule.alternatives if not any(is_challenge(t) and not t.negated for t in one)]
            if len(real) < len(rule.alternatives):
                acme.add(rule.backend)
                text = f"ACME's challenges, for which the back end {rule.backend} was, are answered by stackctl's proxy"
                self._collector.say(Handling.REPLACED, text, rule.at)
            if real and rule.backend not in found:
                lines = (*(x for x in section.inherited if x.starts("default-server")), *section.lines)
                servers = reader.read(lines, section.name, section.at)
                acls = read_acls(section.lines, self._proxy.read_file)
                found[rule.backend] = read_backend(_behind(section), servers, self._collector, acls)
        for name, section in self._behind.items():
            if (
                section.kind == "backend"
                and name not in found
                and name not in acme
                and ("backend", name) not in self._kept
            ):
                self._collector.say(Handling.REPLACED, f"no rule leads to the back end {name}", section.at)
        return found

    # Names

    def _redirects(
        self, fronts: Sequence[Front], names: Iterable[Domain], maker: SiteMaker
    ) -> tuple[list[ProposedRedirect], set[Domain]]:
        found: dict[tuple[str, int, bool, str, str], list[Domain]] = {}
        for name in names:
            one = next((one for front in fronts for one in front.moved if one.is_for(name)), None)
            if one is not None:
                certificate = maker.certificate_of(name)
                lineage = (certificate.lineage if certificate else None) or ""
                if certificate is not None and not lineage:
                    text = f"'stackctl up' requests a certificate for {name} in the place of {certificate.path}"
                    self._collector.say(Handling.CHANGED, text, one.at)
                found.setdefault((one.to, one.status, one.keep_path, one.at, lineage), []).append(name)
        redirects = [
            ProposedRedirect(tuple(own), to, status, keep_path, lineage or None, at)
            for (to, status, keep_path, at, lineage), own in found.items()
        ]
        for each in redirects:
            self._collector.say(Handling.REPLACED, f"the redirect of {listed(each.names)} to {each.to}", each.at)
        return redirects, {name for own in found.values() for name in own}

    def _schemes(
        self, found: FoundSite, fronts: Sequence[Front], backends: Mapping[str, OldBackend], maker: SiteMaker
    ) -> None:
        """Say what becomes of requests over HTTP for a site that has a certificate."""
        site = found.site
        plain = [front for front in fronts if front.plain]
        if maker.certificate_of(site.name) is None or not plain:
            return
        for name in site.domains:
            statuses = [one.status for front in plain for one in front.https if one.is_for(name)]
            behind = [backends[choice.rule.backend].redirect for choice in choices(plain, name, tls=False)]
            statuses += [one.status for one in behind if one is not None and one.is_for(name)]
            if not statuses:
                self._collector.say(Handling.CHANGED, f"http://{name} is now redirected to HTTPS", site.at)
            elif statuses[0] != 301:
                text = f"{name}: {REDIRECTED} 301, 308, by method, not with {statuses[0]}"
                self._collector.say(Handling.CHANGED, text, site.at)

    def _edge(self, front: Front, found: Sequence[FoundSite]) -> dict[str, Value]:
        """Return the keys of what a section says of all answers; they are not in those of kept back ends."""
        if any(rule.choice.front == front.section.name for site in found for rule in site.rules):
            kept = (self._collector.keep(line) for line, _ in front.edge_lines)
            front.kept += [text for text in kept if text is not None]
            return {}
        for line, key in front.edge_lines:
            self._collector.replaced(line, f"the key '{key}'")
        return front.edge.keys

    def _unknown(
        self, fronts: Sequence[Front], found: Sequence[FoundSite], backends: Mapping[str, OldBackend]
    ) -> dict[str, Value]:
        """Return the key ``default``, and say what becomes of requests for names that no site has."""
        tuning: dict[str, Value] = {}
        for front in fronts:
            chosen = choices([front], STRANGER, tls=not front.plain)
            if not chosen:
                continue
            root = chosen[-1] if not chosen[-1].tests else None
            to_https = any(one.is_for(STRANGER) for one in front.https) or bool(
                root and backends[root.rule.backend].redirect
            )
            served = next((one for one in found if root and one.root == root.rule.backend), None)
            if front.plain and served is not None and not to_https:
                tuning["default"] = {"app": str(served.site.name)}
                text = f"requests for other names, which went to {chosen[-1].rule.backend}, do so over HTTP only"
            else:
                text = f"requests for other names, which went to {chosen[-1].rule.backend}, are refused"
            self._collector.say(Handling.CHANGED, text, front.section.at)
        return tuning


def _behind(section: Section) -> Section:
    """Return what is behind a section that listens too: its other lines are those of a frontend."""
    if not any(section.all("bind")):
        return section
    lines = (line for line in section.lines if of_backend(line) or line.words[0] in {"server", "server-template"})
    return replace(section, lines=tuple(lines))
