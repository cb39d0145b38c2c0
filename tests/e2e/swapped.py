"""Give the containers of a service other addresses, and one of them to another site's: as after a reboot."""

from __future__ import annotations

from tests.e2e.helpers import APP_IMAGE, Stack, docker, inspect


def swap_addresses(stack: Stack, service: str, other: str, address: str) -> None:
    """Start ``service`` after ``other``, of one container, which gets ``address`` on the way."""
    network = f"{stack.project}_default"
    labels = (f"label=com.docker.compose.{key}" for key in (f"project={stack.project}", f"service={service}"))
    own = docker("ps", "--quiet", *(part for label in labels for part in ("--filter", label))).split()
    stranger = stack.containers()[other]
    docker("stop", "--time", "1", stranger, *own)
    # The engine gives the lowest free address.
    below: list[str] = []
    try:
        while True:
            filler = docker("run", "--detach", "--rm", "--network", network, "--entrypoint", "sleep", APP_IMAGE, "60")
            below.append(filler)
            if address_of(filler, network) == address:
                break
            assert len(below) < 20, f"{address} is not free"
        docker("rm", "--force", below.pop())
        docker("start", stranger)
        assert address_of(stranger, network) == address
        docker("start", *reversed(own))
    finally:
        if below:
            docker("rm", "--force", *below)


def address_of(container: str, network: str) -> str:
    found: str = inspect(container)["NetworkSettings"]["Networks"][network]["IPAddress"]
    return found
