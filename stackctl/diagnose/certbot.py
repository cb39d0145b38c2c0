"""The certbot container: whether it runs, and whether the CA can be reached from inside it."""

from __future__ import annotations

from dataclasses import dataclass

from stackctl.diagnose.check import Check, ok, skipped, unknown, wrong

_NAMES = ("certbot-dns", "certbot-route")


@dataclass(frozen=True, slots=True)
class CertbotFacts:
    """What was found.

    Attributes:
        state: Docker's word for the container; None without one.
        addresses: what the CA's name resolves to inside it; None where that was not asked.
        status: the HTTP status of the CA's directory, fetched from inside.
        problem: why there is no status, in the words of what failed.
        untold: why nothing could be asked inside.
    """

    service: str
    directory: str
    host: str
    state: str | None
    addresses: tuple[str, ...] | None = None
    status: int | None = None
    problem: str | None = None
    untold: str | None = None


def judge_certbot(facts: CertbotFacts, *, clock_wrong: bool = False) -> list[Check]:
    """The container's checks; with a wrong clock no TLS can be judged."""
    service = facts.service
    if facts.state != "running":
        state = "has no container" if facts.state is None else f"is {facts.state}"
        text = f"{service} {state}: nothing is issued or renewed"
        stopped = wrong("certbot", text, "start it: 'stackctl up'; its own words: 'stackctl logs'")
        return [stopped, *skipped(_NAMES, f"{service} does not run")]
    checks = [ok("certbot", f"{service} runs")]
    if facts.untold is not None:
        todo = f"docker compose exec {service} certbot show_account --server {facts.directory}"
        return [*checks, *(unknown(name, f"cannot be asked: {facts.untold}", todo) for name in _NAMES)]
    if not facts.addresses:
        text = f"{facts.host} cannot be resolved inside {service}: {facts.problem}"
        todo = "give the engine resolvers that answer: \"dns\" in /etc/docker/daemon.json, or 'dns:' of the service"
        return [*checks, wrong("certbot-dns", text, todo), *skipped(_NAMES[1:], "its name cannot be resolved")]
    checks.append(ok("certbot-dns", f"inside {service}, {facts.host} is {', '.join(facts.addresses[:3])}"))
    checks.append(_route(facts, clock_wrong=clock_wrong))
    return checks


def _route(facts: CertbotFacts, *, clock_wrong: bool) -> Check:
    if facts.status is not None and facts.status < 400:
        return ok("certbot-route", f"inside {facts.service}, {facts.directory} answers")
    if clock_wrong:
        return skipped(("certbot-route",), "the clock is wrong, and TLS needs it")[0]
    problem = facts.problem or f"it answers with status {facts.status}"
    todo = "let containers reach it: check the firewall (FORWARD, DOCKER-USER) and 'ca' and 'ca-bundle' in x-stackctl"
    text = f"inside {facts.service}, {facts.directory} cannot be had: {problem}"
    return wrong("certbot-route", text, todo)
