"""The CA's problem types (RFC 8555, section 6.7) with a hint for each."""

from __future__ import annotations

import re

from stackctl.model.layout import ACCOUNTS, CERTBOT_CONF

_PREFIX = "urn:ietf:params:acme:error:"

_HINTS = {
    "dns": "the name's A or AAAA record cannot be resolved: check it with 'dig NAME' from another network",
    "connection": "the CA could not reach port 80 of this host under that name: check its A and AAAA records, "
    "the firewall and any port forwarding",
    "unauthorized": "another server answered for that name on port 80: check that its A and AAAA records "
    "point to this host and that no CDN is in front",
    "caa": "a CAA record of the domain, or of a parent domain, forbids this CA: add the CA to it",
    "rateLimited": "the CA's rate limit is reached: wait until the time it names, and use "
    "'stackctl init --ca letsencrypt-staging' for experiments",
    "rejectedIdentifier": "the CA does not issue for that name: use a public domain that you own",
    "externalAccountRequired": "the CA requires an external account binding: get a key from it, then run "
    "'stackctl init --eab-kid KID --eab-hmac-key-file FILE'",
    "badNonce": "the CA rejected the request's nonce repeatedly: run the same command again",
    "serverInternal": "the CA reports an internal error: run the same command again later",
    "accountDoesNotExist": "the CA does not know the account: move the CA's directory under "
    f"{(CERTBOT_CONF / ACCOUNTS).path} elsewhere and run the same command again",
    "invalidContact": "the CA does not accept that e-mail address: correct 'email' in x-stackctl",
    "userActionRequired": "the CA has new terms of service: read and agree to them at the address it names",
    "tls": "the certificate of the CA's API is not trusted: check 'ca-bundle' in x-stackctl",
}


_RECORDS = dict.fromkeys(
    ("dns", "unauthorized"),
    "all name servers had the record: the CA may ask others, or DNSSEC is broken; see 'stackctl dns test'",
)
"""The hints for names that are proved by DNS-01."""


_POOL = re.compile(r"HTTPS?ConnectionPool\(host='([^']+)', port=(\d+)\): (.*)", re.DOTALL)
_VERIFY = re.compile(r"certificate verify failed: ([^(\n]+)")


def in_plain_words(text: str) -> str:
    """Return what certbot says of a CA that cannot be reached without the names of Python's classes."""
    found = _POOL.search(text)
    if found is None:
        return text
    host, port, why = found.groups()
    if "NameResolutionError" in why or "Failed to resolve" in why or "getaddrinfo" in why:
        return f"the name of the CA, {host}, cannot be resolved"
    if (untrusted := _VERIFY.search(why)) is not None:
        return f"the certificate of the CA's API at {host} is not trusted: {untrusted[1].strip()}"
    if "timed out" in why:
        return f"the CA at {host}:{port} does not answer in time"
    if "Connection refused" in why:
        return f"the CA at {host}:{port} does not accept connections"
    reason = why.rpartition(": ")[2].strip("'()\"")
    return f"the CA at {host}:{port} cannot be reached: {reason}"


def hint_about_ca(words: str) -> str | None:
    """Return what to do where ``words`` of certbot's say that the CA cannot be reached, or None."""
    found = _POOL.search(words)
    if found is None:
        return None
    if _VERIFY.search(found[3]):
        return _HINTS["tls"]
    return (
        "check 'ca' in x-stackctl, and the network and the DNS of the certbot container: 'stackctl doctor' asks the CA"
    )


def hint_for(problem: str | None, *, dns: bool = False) -> str | None:
    """Return the hint for the problem type ``problem``, a URN or its last part; ``dns`` is for names by DNS-01."""
    if problem is None:
        return None
    kind = problem.removeprefix(_PREFIX)
    return (_RECORDS.get(kind) if dns else None) or _HINTS.get(kind)
