"""Faults of DNS and of port 80, as the CA sees them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

from tests.e2e.helpers import APP_IMAGE, NOBODY
from tests.faults.authority import USER
from tests.faults.bed import Run, bed
from tests.faults.ca_faults import unissued
from tests.faults.case import case, ended

FAMILY = "DNS"


def rows(run: Run) -> None:
    """Run the whole family."""
    with bed(run) as one:
        name, address = one.name("app"), one.stack.address
        command = ["add-app", name, "--image", APP_IMAGE]
        one.stack.ok(*command)
        expected = one.state()
        one.away(name)

        def resolve(*addresses: str, six: str | None = None) -> Callable[[], None]:
            return lambda: run.ca.resolve(name, *addresses, six=six)

        injected: dict[str, tuple[Callable[[], None], Callable[[], None]]] = {
            "no record": (resolve(), resolve(address)),
            "wrong address": (resolve(NOBODY), resolve(address)),
            "AAAA record only, whose address does not answer": (resolve(six="::1"), resolve(address)),
            "port 80 blocked for the CA": (lambda: firewall("-I", address), lambda: firewall("-D", address)),
        }
        for what, (inject, mend) in injected.items():
            if not run.quick or what == "no record":
                unissued(one, FAMILY, what, inject, mend, expected, [7])
            if not run.quick and what != "port 80 blocked for the CA":  # not visible from this host
                unissued(one, FAMILY, f"{what}, with --force", inject, mend, expected, [7], "--force")
        # With a correct A record too, a CA may try both (RFC 8555 leaves it open), so both results are valid.
        challenge = "/.well-known/acme-challenge/nobody"

        def beside() -> str:
            run.ca.resolve(name, address, six="::1")
            done = one.stack.run(*command)
            assert done.returncode in {0, 7}, ended(done)
            return ended(done)

        def redirected() -> str:
            done = one.stack.run(*command)
            assert one.stack.https(name, challenge, trust=False).status == 302, "the app redirects the challenge path"
            answer = one.stack.http(name, challenge).status
            assert answer == 404, f"port 80 answers {answer}"
            return ended(done)

        what = "AAAA whose address does not answer, with a correct A record"
        case(one, FAMILY, what, broken=beside, mend=resolve(address), again=command, expected=expected)
        one.away(name)
        what = "the app redirects the challenge path"
        case(one, FAMILY, what, broken=redirected, again=command, expected=expected)
        one.away(name)


def firewall(change: str, address: str) -> None:
    """Drop the packets from the CA to one address, and no others."""
    rule = f"-d {address} -p tcp --dport 80 -m owner --uid-owner {USER} -j DROP"
    subprocess.run(["iptables", "-w", change, "OUTPUT", *rule.split()], check=True, capture_output=True, timeout=20)
