"""Names move between sites, and certbot's tree is damaged, while a client checks that every name is trusted."""

from __future__ import annotations

import http.client
import json
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.conftest import NewStack
from tests.e2e.helpers import Stack, certbot, dns, docker, sans, wait_until
from tests.e2e.load import PAUSE

pytestmark = pytest.mark.e2e

KINDS = ("cert", "chain", "fullchain", "privkey")


@pytest.fixture(scope="module")
def stack(new_stack: NewStack) -> Stack:
    made = new_stack()
    made.init()
    made.add_dns(made.domain("www"))
    made.add("app1", "--alias", made.domain("www"))
    made.add("app2")
    return made


@contextmanager
def watched(stack: Stack, names: Sequence[str]) -> Iterator[None]:
    """A client that asks for each name in a loop: none is without trusted HTTPS for a moment."""
    gaps: list[str] = []
    rounds = 0
    over = threading.Event()

    def look() -> None:
        nonlocal rounds
        while not over.wait(PAUSE):
            for name in names:
                try:
                    gaps.extend([] if stack.trusted(name) else [f"{name}: another answer"])
                except (OSError, http.client.HTTPException) as error:
                    gaps.append(f"{name}: {error}")
            rounds += 1

    client = threading.Thread(target=look)
    client.start()
    try:
        yield
    finally:
        over.set()
        client.join()
    assert rounds > 2
    assert gaps == []


def conf(stack: Stack) -> Path:
    return stack.directory / "data/certbot/conf"


def versions(stack: Stack, lineage: str) -> list[str]:
    return sorted(path.name for path in (conf(stack) / "archive" / lineage).glob("cert*.pem"))


def domains(names: Sequence[str]) -> str:
    return "".join(f"        - {name}\n" for name in names)


def advice(stack: Stack, *names: str) -> list[str]:
    """What ``doctor`` says to do about certificates."""
    shown = json.loads(stack.run("doctor", *names, "--output", "json").stdout)
    (section,) = [section for section in shown["sections"] if section["title"] == "certificates"]
    return [check["todo"] for check in section["checks"] if check["verdict"] == "wrong"]


def test_another_order_of_names_costs_no_certificate_and_no_moment(stack: Stack) -> None:
    first, www = stack.domain("app1"), stack.domain("www")
    serial = stack.serial(first)
    with watched(stack, [first, www]):
        stack.edit(domains([first, www]), domains([www, first]))
        stack.ok("up")
    assert stack.serial(first) == stack.serial(www) == serial
    assert www not in stack.lineages()
    assert "nothing to do" in stack.ok("up").stdout
    assert advice(stack, www) == []
    stack.edit(domains([www, first]), domains([first, www]))
    stack.ok("up")


def test_an_alias_moves_while_the_ca_refuses(stack: Stack) -> None:
    first, www, second = stack.domain("app1"), stack.domain("www"), stack.domain("app2")
    dns("set-servfail", second)
    with watched(stack, [first, www, second]):
        stack.edit(domains([first, www]), domains([first]))
        stack.edit(domains([second]), domains([second, www]))
        for _ in range(2):
            stack.fails(7, "up", "--unattended", "--ignore-ledger")
        assert sans(stack.certificate(first)) == {first}
        assert sans(stack.certificate(www)) == {first, www}
        dns("clear-servfail", second)
        stack.ok("up", "--ignore-ledger")
    assert sans(stack.certificate(www)) == {second, www}
    assert "nothing to do" in stack.ok("up").stdout
    assert (len(versions(stack, first)), len(versions(stack, second))) == (2, 2)
    assert not (stack.directory / "data/certs" / www).exists()


def test_lost_links_are_restored_without_ca_and_dns(stack: Stack) -> None:
    first, second = stack.domain("app1"), stack.domain("app2")
    serials = stack.serial(first), stack.serial(second)
    before = versions(stack, first)
    for kind in KINDS:
        (conf(stack) / "live" / first / f"{kind}.pem").unlink()
    dns("set-servfail", first)
    try:
        with watched(stack, [first, second]):
            assert all("stackctl up" in todo for todo in advice(stack, first))
            stack.ok("up")
        assert advice(stack, first) == []
        stack.ok("down")
        shutil.rmtree(conf(stack) / "live")
        stack.ok("up")
    finally:
        dns("clear-servfail", first)
    assert (stack.serial(first), stack.serial(second)) == serials
    assert versions(stack, first) == before
    assert advice(stack) == []


def test_a_renewal_file_that_was_cut_off_is_written_again_and_certbot_renews_by_it(stack: Stack) -> None:
    first = stack.domain("app1")
    serial = stack.serial(first)
    file = conf(stack) / "renewal" / f"{first}.conf"
    file.write_text(file.read_text().partition("server =")[0])
    assert advice(stack, first)
    stack.ok("up")
    assert advice(stack, first) == []
    assert stack.serial(first) == serial
    certbot(stack.container("certbot"), "renew", "--cert-name", first, "--force-renewal", "--no-random-sleep-on-renew")
    # As the loops do, which would come in between 'plan' and 'up'.
    docker("exec", stack.container("certbot"), "sh", "/var/lib/stackctl/copy-certificates")
    wait_until(lambda: stack.serial(first) != serial, 90, "the renewed certificate is served")


def test_a_key_that_was_overwritten_is_replaced_by_what_doctor_advises(stack: Stack) -> None:
    first, second = stack.domain("app1"), stack.domain("app2")
    newest = max(int(name.removeprefix("cert").removesuffix(".pem")) for name in versions(stack, first))
    for number in range(1, newest + 1):  # no version is whole any more
        other = conf(stack) / "live" / second / "privkey.pem"
        (conf(stack) / "archive" / first / f"privkey{number}.pem").write_bytes(other.read_bytes())
    serial = stack.serial(first)
    with watched(stack, [first, second]):
        assert any("stackctl up" in todo for todo in advice(stack, first))
        stack.ok("up", "--ignore-ledger")
    assert stack.serial(first) != serial
    assert advice(stack) == []


def test_what_no_site_uses_is_retired(stack: Stack) -> None:
    second = stack.domain("app2")
    removed = stack.ok("remove-app", second)
    assert f"stackctl cert retire {second}" in removed.stdout + removed.stderr
    assert f"no site uses the certificate {second}" in stack.ok("status").stdout
    stack.fails(2, "cert", "retire", stack.domain("app1"), "--yes")
    shown = stack.ok("cert", "retire", second, "--dry-run")
    assert f"delete the certificate {second}" in shown.stdout
    assert second in stack.lineages()
    stack.ok("cert", "retire", second, "--yes")
    assert second not in stack.lineages()
    assert "nothing to do" in stack.ok("up").stdout
