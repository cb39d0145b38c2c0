"""Check that certbot can renew a certificate: its renewal file is consistent with the rest of the tree."""

from __future__ import annotations

from dataclasses import dataclass

from stackctl.certs.accounts import accounts_at
from stackctl.certs.renewal import KINDS, RenewalFile, account_path, parse_renewal, renews_by_dns
from stackctl.diagnose.check import Check, ok, unknown, wrong
from stackctl.model.acme import LETSENCRYPT_STAGING
from stackctl.model.layout import CERTBOT_CONF, WEBROOT, lineage_file, renewal_file

FILE = "cert-renewal"


@dataclass(frozen=True, slots=True)
class RenewalFacts:
    """Facts about one lineage, as ``certbot renew`` will find it.

    Attributes:
        subject: the app's first name.
        lineage: the lineage's name.
        names: the app's names.
        text: the content of the renewal file; None if it is missing.
        fault: what is wrong with the lineage as certbot reads it, by its judgement; or None.
        repairable: whether that is mended without a CA.
        own_way: what to do about a fault of a lineage that only certbot renews; None for others.
        links_known: whether links can be read from here.
        accounts: the existing accounts, as ``HOST/PATH/ID`` below ``accounts/``.
        directory: the ACME directory of the stack's CA.
        changes: what 'up' would change in the renewal file.
    """

    subject: str
    lineage: str
    names: tuple[str, ...]
    text: str | None
    accounts: frozenset[str]
    directory: str
    fault: str | None = None
    repairable: bool = False
    own_way: str | None = None
    links_known: bool = True
    changes: tuple[str, ...] = ()


def judge_renewal(facts: RenewalFacts) -> Check:
    """Check that the renewal file exists and is consistent with the account, the webroot and the links."""
    path = renewal_file(facts.lineage)
    if facts.fault is not None:
        todo = "run 'stackctl up', which " + ("repairs it" if facts.repairable else "requests a new one")
        todo = facts.own_way if facts.own_way and not facts.repairable else todo
        return wrong(FILE, f"certbot cannot renew this certificate: {facts.fault}", todo, facts.subject)
    if facts.text is None:
        text = f"{path} is missing: certbot will not renew this certificate"
        return wrong(FILE, text, "run 'stackctl up', which writes it again", facts.subject)
    if facts.changes:
        text = f"{path} differs from x-stackctl: {'; '.join(facts.changes)}"
        return wrong(FILE, text, "run 'stackctl up', which brings it in line", facts.subject)
    file = parse_renewal(facts.text)
    problem, elsewhere = _problem(facts, file), _elsewhere(facts, file)
    if problem or elsewhere:
        todo = f"correct {CERTBOT_CONF / path}" if facts.own_way else f"run 'stackctl renew --force {facts.subject}'"
        by_order = "run 'stackctl renew --changed', which registers an account there and replaces the certificate"
        return wrong(FILE, f"{path}: {problem or elsewhere}", todo if problem else by_order, facts.subject)
    if not facts.links_known:
        todo = f"run 'stackctl doctor {facts.subject}' as root"
        return unknown(FILE, f"{path} is valid; the links cannot be read", todo, facts.subject)
    other_ca = "" if file.server == facts.directory else f"; it uses {file.server}, not the CA of the stack"
    way = file.parameters.get("authenticator", "")
    return ok(FILE, f"{path} is valid: account, {way}, links{other_ca}", facts.subject)


def _elsewhere(facts: RenewalFacts, file: RenewalFile) -> str | None:
    """Return how another CA renews it than the file says; one for tests takes no trusted certificate over."""
    if facts.own_way or facts.directory in {file.server, LETSENCRYPT_STAGING}:
        return None
    return f"it names {file.server}, and there is no account at {facts.directory}"


def _problem(facts: RenewalFacts, file: RenewalFile) -> str | None:
    server, account = file.server, file.account
    if not server:
        return "it has no 'server' entry, so it is truncated"
    alone = not account and len(accounts_at(server, facts.accounts)) == 1
    if not alone and account_path(server, account or "") not in facts.accounts:
        return f"the account {account or '(none)'} is not under accounts/"
    home = {kind: (CERTBOT_CONF / lineage_file(facts.lineage, kind)).mount for kind in KINDS}
    wrong_path = next((kind for kind, path in home.items() if file.paths.get(kind) != path), None)
    if wrong_path:
        return f"{wrong_path} is {file.paths.get(wrong_path, 'missing')}, not {home[wrong_path]}"
    if renews_by_dns(file.parameters.get("authenticator")):
        return None
    if file.parameters.get("authenticator") != "webroot":
        return f"the authenticator is {file.parameters.get('authenticator', 'missing')}, not webroot"
    roots = {file.webroots.get(name, file.parameters.get("webroot_path", "").rstrip(", ")) for name in facts.names}
    other = next(iter(sorted(roots - {WEBROOT.mount})), None)
    return f"the webroot is {other or 'missing'}, not {WEBROOT.mount}" if other is not None else None
