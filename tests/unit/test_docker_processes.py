"""Processes of containers, as the engine lists them or, where it cannot, as their own ``/proc`` shows them."""

from __future__ import annotations

import os
import subprocess

import pytest
import requests
from docker.errors import APIError

from stackctl.adapters.docker.processes import SCRIPT, listed
from stackctl.errors import EngineError
from stackctl.observed.containers import Process
from tests.unit.test_docker_engine import engine

NO_CGROUPS = APIError(
    "500",
    explanation="runc did not terminate successfully: exit status 1: unable to get all container pids: lstat : no such"
    " file or directory",
)
PRINTED = (
    "5638.37 300.71\n"
    "1 (nginx) S 0 1 1 0 -1 4194560 1701 0 0 0 2 0 0 0 23 3 1 0 563801 10637312 1742 184 9428 \t"
    "nginx: master process nginx -g daemon off; \n"
    "20 (a) (b) S 1 1 1 0 -1 4194560 1701 0 0 0 2 0 0 0 23 3 1 0 363801 10637312 1742 184 9428 \t"
    "nginx: worker process\n"
)
INSIDE = (
    Process("nginx: master process nginx -g daemon off;", 0, 1),
    Process("nginx: worker process", 2000, 20),
)


def test_processes_are_listed_by_the_engine() -> None:
    ports, api = engine(top={"Processes": [["4711", "12", "nginx: worker process"]]})
    assert ports.containers.processes("a" * 64) == (Process("nginx: worker process", 12, 4711),)
    assert [call[0] for call in api.calls] == ["top"]


def test_or_by_the_container_where_the_engine_cannot() -> None:
    ports, _ = engine(
        top=NO_CGROUPS, exec_create={"Id": "e"}, exec_start=PRINTED.encode(), exec_inspect={"ExitCode": 0}
    )
    assert ports.containers.processes("a" * 64) == INSIDE


@pytest.mark.parametrize("printed", [b"", b"exec: sh: not found", b"5638.37 300.71\n"])
def test_one_message_where_neither_can(printed: bytes) -> None:
    ports, _ = engine(top=NO_CGROUPS, exec_create={"Id": "e"}, exec_start=printed, exec_inspect={"ExitCode": 127})
    with pytest.raises(
        EngineError, match=r"the processes of the container a{12} cannot be listed: .*all container pids"
    ):
        ports.containers.processes("a" * 64)


@pytest.mark.parametrize("status", [404, 409])
def test_a_container_that_does_not_run_is_not_asked(status: int) -> None:
    response = requests.Response()
    response.status_code = status
    ports, api = engine(top=APIError("no", response=response, explanation="it is not running"))
    with pytest.raises(EngineError, match="Docker reports an error: it is not running"):
        ports.containers.processes("a" * 64)
    assert [call[0] for call in api.calls] == ["top"]


def test_the_script_lists_the_processes_of_this_host() -> None:
    done = subprocess.run(["sh", "-c", SCRIPT], capture_output=True, text=True, check=True)
    here = next(one for one in listed(done.stdout) if one.pid == os.getpid())
    assert "python" in here.command
    assert 0 <= here.seconds < 86400
