"""Faults of the CA: an app gets no certificate for now, and no other site is affected."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.e2e.helpers import APP_IMAGE, NOBODY, certbot, docker
from tests.faults import ca_proxy
from tests.faults.bed import Bed, Run, State, bed
from tests.faults.ca_proxy import Fault, Proxy, between
from tests.faults.case import case, ended

FAMILY = "CA"


def rows(run: Run) -> None:
    """Run the whole family."""
    with between(run.ca) as proxy, bed(run, directory=proxy.directory) as one:
        name = one.name("app")
        command = ["add-app", name, "--image", APP_IMAGE]
        one.stack.ok(*command)
        expected = one.state()
        one.away(name)

        def row(
            injected: str, inject: Callable[[], object], mend: Callable[[], object], *codes: int, words: str = ""
        ) -> None:
            unissued(one, FAMILY, injected, inject, mend, expected, codes, words=words)

        row("CA down", proxy.down, proxy.up, 7)
        for injected, fault, code, words in faults(one, quick=run.quick):
            row(injected, _set(proxy, fault), _set(proxy, ca_proxy.honest), code, words=words)
        if run.quick:
            return
        several(one)
        restarted(one, command)


def faults(one: Bed, *, quick: bool) -> list[tuple[str, Fault, int, str]]:
    """Return the faults of the ACME proxy, with the expected exit codes and message of the command."""
    chain = (one.stack.live / one.steady / "fullchain.pem").read_bytes()
    told = [
        ("CA answers 500 to everything", ca_proxy.internal_error, 7, ""),
        ("CA answers rateLimited, Retry-After 3600", ca_proxy.limited, 7, "too many new orders recently (rateLimited)"),
        ("CA issues a certificate for the wrong key", ca_proxy.wrong_certificate(chain), 7, ""),
    ]
    more = [
        ("CA slow: 30 s for the order", ca_proxy.slow(30), 0, ""),
        ("CA refuses nonces (5 %, and every 4th while polling)", ca_proxy.nonces(4), 0, ""),
        ("order stuck in processing", ca_proxy.processing, 7, " the order within "),
    ]
    return told if quick else told + more


def _set(proxy: Proxy, fault: Fault) -> Callable[[], None]:
    def change() -> None:
        proxy.fault = fault

    return change


def unissued(
    one: Bed,
    family: str,
    injected: str,
    inject: Callable[[], object],
    mend: Callable[[], object],
    expected: State,
    codes: Sequence[int],
    *more: str,
    words: str = "",
) -> None:
    """Check that ``add-app`` exits with one of ``codes`` and serves HTTP, and that a retry gets the certificate.

    ``more`` are additional options of the command under the fault.
    """
    name = one.stack.domain("app")
    command = ["add-app", name, "--image", APP_IMAGE]

    def broken() -> str:
        inject()
        done = one.stack.run(*command, *more)
        assert done.returncode in codes, f"{ended(done)} instead of {codes}"
        assert words in done.stderr, f"{done.stderr} instead of {words!r}"
        answer = one.stack.http(name).status
        # HTTP until there is a certificate, then a redirect.
        assert answer == (200 if done.returncode else 301), f"port 80 answers {answer}"
        return ended(done)

    try:
        case(one, family, injected, broken=broken, mend=mend, again=command, expected=expected)
    finally:
        one.away(name)


def restarted(one: Bed, command: Sequence[str]) -> None:
    """Restart the CA without accounts and with a new root: the command recovers, and certbot's loop can renew."""
    earlier = one.add("earlier")
    one.stack.ok(*command)
    expected = one.state()
    one.away(command[1])

    def broken() -> str:
        one.run.ca.restart()
        done = one.stack.run(*command)
        assert done.returncode == 0, ended(done)
        assert done.stdout.count("did not know the account any more") == 1, done.stdout
        return ended(done)

    def renews() -> None:
        """Renew a lineage of the earlier account with certbot alone."""
        force = ("--cert-name", earlier, "--force-renewal", "--no-random-sleep-on-renew")
        certbot(one.stack.container("certbot"), "renew", *force)

    what = "CA restarted: new root, accounts forgotten"
    case(one, FAMILY, what, broken=broken, again=command, expected=expected, check=renews)


def several(one: Bed) -> None:
    """Fail every second authorisation: the names whose authorisations succeed get certificates in the same run."""
    labels = [f"half{number}" for number in range(4)]
    names = [one.name(label) for label in labels]
    before = one.stack.file.read_text()
    with one.stack.file.open("a") as file:
        for label, name in zip(labels, names, strict=True):
            routed = f"      domains: [{name}]\n      port: 8000\n"
            file.write(f"  {label}:\n    image: {APP_IMAGE}\n    x-stackctl:\n{routed}")
    one.stack.ok("up")
    expected = one.state()
    for name in names:
        one.stack.ok("remove-app", name, "--delete-cert", "--yes", "--keep-service")
    one.stack.file.write_text(before + expected["compose file"].removeprefix(before))

    def broken() -> str:
        for name in names[::2]:
            one.run.ca.resolve(name, NOBODY)
        done = one.stack.run("up", "--force")
        assert done.returncode == 7, ended(done)
        return ended(done)

    def mend() -> None:
        for name in names:
            one.run.ca.resolve(name, one.stack.address)

    case(one, FAMILY, "half of the authorisations fail", broken=broken, mend=mend, again=["up"], expected=expected)
    for name in names:
        one.away(name)
    # stackctl does not manage these services, so the test removes their containers.
    docker("rm", "--force", *(one.stack.container(label) for label in labels))
    one.stack.file.write_text(before)
    one.stack.ok("up")
