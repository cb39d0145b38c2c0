"""The CA's problem types (RFC 8555, section 6.7) and what a person can do about each."""

from __future__ import annotations

from stackctl.model.layout import ACCOUNTS, CERTBOT_CONF

_PREFIX = "urn:ietf:params:acme:error:"

_HINTS = {
    "dns": "the name's A or AAAA record cannot be resolved: check it with 'dig NAME' from another network",
    "connection": "the CA could not reach port 80 of this host under that name: check its A and AAAA records, "
    "the firewall and any port forwarding",
    "unauthorized": "something else answered for that name on port 80: check that its A and AAAA records "
    "point to this host and that no CDN is in front",
    "caa": "a CAA record of the domain, or of one above it, forbids this CA: add the CA to it",
    "rateLimited": "the CA's rate limit is reached: wait until the time it names, and use "
    "'stackctl init --ca letsencrypt-staging' to try things out",
    "rejectedIdentifier": "the CA does not issue for that name: use a public domain of your own",
    "externalAccountRequired": "the CA binds accounts to a customer: get a key from it, then "
    "'stackctl init --eab-kid KID --eab-hmac-key-file FILE'",
    "badNonce": "the CA refused the request's nonce again and again: run the same command again",
    "serverInternal": "the CA has a fault of its own: run the same command again in a while",
    "accountDoesNotExist": "the CA has forgotten the account: move the CA's folder under "
    f"{(CERTBOT_CONF / ACCOUNTS).path} aside and run the same command again",
    "invalidContact": "the CA does not take that e-mail address: correct 'email' in x-stackctl",
    "userActionRequired": "the CA has new terms of service: read and agree to them at the address it names",
    "tls": "the CA's own TLS could not be trusted: check 'ca-bundle' in x-stackctl",
}


def hint_for(problem: str | None) -> str | None:
    """What to do about the problem type ``problem``, a URN or its last part."""
    if problem is None:
        return None
    return _HINTS.get(problem.removeprefix(_PREFIX))
