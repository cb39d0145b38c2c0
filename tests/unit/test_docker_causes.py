"""Causes that affect every service are recognised in the words of each engine, with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackctl.adapters.docker.causes import engine_error

EVERYWHERE = {
    "failed to create network sites_default: Error response from daemon: could not find an available, "
    "non-overlapping IPv4 address pool among the defaults to assign to the network": "docker network prune",
    "failed to create network sites_default: Error response from daemon: all predefined address pools have been "
    "fully subnetted": "docker network prune",
    "Error response from daemon: write /var/lib/docker/tmp/x: no space left on device": "docker system df",
    "Error response from daemon: driver failed programming external connectivity on endpoint a (0f): (iptables "
    "failed: iptables --wait -t nat -A DOCKER -p tcp: iptables: No chain/target/match by that name. (exit status 1))": (
        "restart Docker"
    ),
    "failed to create network x: Error response from daemon: Failed to Setup IP tables: Unable to enable SKIP DNAT "
    "rule: (iptables failed: iptables: Chain 'DOCKER' does not exist)": "restart Docker",
    "Error response from daemon: failed to create task for container: failed to create shim task: OCI runtime create "
    "failed: runc create failed: cgroups: cgroup mountpoint does not exist: unknown": "docker info",
    "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?": (
        "systemctl status docker"
    ),
    'error during connect: Post "http://%2Fvar%2Frun%2Fdocker.sock/v1.41/containers/create": EOF': (
        "systemctl status docker"
    ),
    "Error response from daemon: the daemon is shutting down": "systemctl status docker",
    "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock": (
        "group docker"
    ),
    "Error response from daemon: client version 1.52 is too new. Maximum supported API version is 1.41": (
        "docker version"
    ),
    "Error response from daemon: fork/exec /usr/bin/containerd-shim: resource temporarily unavailable": "free -m",
}


@pytest.mark.parametrize("text", EVERYWHERE)
def test_a_cause_for_all_services_is_recognised(text: str) -> None:
    error = engine_error(text, where="docker compose up")
    assert error.everywhere
    assert EVERYWHERE[text] in (error.hint or "")
    assert text in error.message
    assert error.where == "docker compose up"


def test_a_mount_that_exists_on_this_host_only_tells_of_an_engine_elsewhere(tmp_path: Path) -> None:
    words = 'invalid mount config for type "bind": bind source path does not exist: '
    error = engine_error(f"{words}{tmp_path}")
    assert error.everywhere
    assert "does not see the files of this host" in error.message
    assert "on the host of the engine" in (error.hint or "")
    assert engine_error(f"{words}{tmp_path}/gone").hint is None


def test_a_rootless_engine_may_not_publish_a_low_port() -> None:
    error = engine_error(
        "Error response from daemon: failed to set up container networking: cannot expose privileged port 80, you can "
        "add 'net.ipv4.ip_unprivileged_port_start=80' to /etc/sysctl.conf (currently 1024)"
    )
    assert not error.everywhere
    assert "net.ipv4.ip_unprivileged_port_start=80" in (error.hint or "")
    assert "edit 'ports' of the service" in (error.hint or "")


@pytest.mark.parametrize(
    "words",
    [
        "Timed out proxy starting the userland proxy",
        "Bind for 127.0.0.1:443 failed: port is already allocated",
    ],
)
def test_a_port_that_another_container_publishes(words: str) -> None:
    error = engine_error(f"driver failed programming external connectivity on endpoint b-nginx-1 (e19d): {words}")
    assert not error.everywhere
    assert "publishes a port only once, whatever the address" in (error.hint or "")


@pytest.mark.parametrize(
    "text",
    [
        "no such service: app",
        'Error response from daemon: Get "https://registry.example.com/v2/": EOF',
        'Head "https://registry.example.com/v2/": read tcp 10.0.0.2:5->192.0.2.1:443: read: connection reset by peer',
        "dial udp 192.0.2.53:53: lookup registry.example.com: resource temporarily unavailable",
        "failed to create network shop_alternative: network with that name exists",
        "pull access denied for app, repository does not exist or may require 'docker login'",
        'exec: "iptables": executable file not found in $PATH',
        "container app is unhealthy",
    ],
)
def test_the_fault_of_one_service_stops_no_other(text: str) -> None:
    error = engine_error(text)
    assert (error.message, error.everywhere, error.hint) == (text, False, None)
