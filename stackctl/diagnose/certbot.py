"""Check that the certbot container runs, and that it can reach the CA."""

from __future__ import annotations

from dataclasses import dataclass

from stackctl.diagnose.check import Check, ok, skipped, unknown, wrong

_NAMES = ("certbot-dns", "certbot-route")


@dataclass(frozen=True, slots=True)
class CertbotFacts:
    """Facts about the certbot container.

    Attributes:
        state: the container's state in Docker; None without a container.
        addresses: what the CA's name resolves to inside it; None if that was not tried.
        status: the HTTP status of the CA's directory, fetched from inside.
        problem: why there is no status: the error of the failed command.
        exec_problem: why no command could run inside.
    """

    service: str
    directory: str
    host: str
    state: str | None
    addresses: tuple[str, ...] | None = None
    status: int | None = None
    problem: str | None = None
    exec_problem: str | None = None


def judge_certbot(facts: CertbotFacts, *, clock_wrong: bool = False) -> list[Check]:
    """Return the checks of the container; with a wrong clock, TLS to the CA is not judged."""
    service = facts.service
    if facts.state != "running":
        state = "has no container" if facts.state is None else f"is {facts.state}"
        text = f"{service} {state}: nothing is issued or renewed"
        stopped = wrong("certbot", text, "start it with 'stackctl up'; see 'stackctl logs'")
        return [stopped, *skipped(_NAMES, f"{service} does not run")]
    checks = [ok("certbot", f"{service} runs")]
    if facts.exec_problem is not None:
        todo = f"docker compose exec {service} certbot show_account --server {facts.directory}"
        return [*checks, *(unknown(name, f"cannot be checked: {facts.exec_problem}", todo) for name in _NAMES)]
    if not facts.addresses:
        text = f"{facts.host} cannot be resolved inside {service}: {facts.problem}"
        todo = "configure resolvers that answer: \"dns\" in /etc/docker/daemon.json, or 'dns:' of the service"
        return [*checks, wrong("certbot-dns", text, todo), *skipped(_NAMES[1:], "its name cannot be resolved")]
    checks.append(ok("certbot-dns", f"inside {service}, {facts.host} resolves to {', '.join(facts.addresses[:3])}"))
    checks.append(_route(facts, clock_wrong=clock_wrong))
    return checks


def _route(facts: CertbotFacts, *, clock_wrong: bool) -> Check:
    if facts.status is not None and facts.status < 400:
        return ok("certbot-route", f"inside {facts.service}, {facts.directory} answers")
    if clock_wrong:
        return skipped(("certbot-route",), "this host's clock is wrong, so TLS fails")[0]
    problem = facts.problem or f"it answers with status {facts.status}"
    todo = "check the firewall (chains FORWARD and DOCKER-USER), and 'ca' and 'ca-bundle' in x-stackctl"
    text = f"inside {facts.service}, {facts.directory} cannot be fetched: {problem}"
    return wrong("certbot-route", text, todo)
