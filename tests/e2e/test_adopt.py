"""``adopt``: stacks that were really made the old way, taken over while a client asks all along."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from stackctl.stackfile import edit
from stackctl.stackfile.document import Document
from tests.e2e.conftest import NewStack
from tests.e2e.helpers import (
    CERTBOT_IMAGE,
    CERTBOTS_LOCK,
    CERTBOTS_OWN,
    Stack,
    certbot,
    docker,
    inspect,
    sans,
    wait_until,
)
from tests.e2e.old_ways import COMPANION, build_nginx_proxy, build_other_places, build_seed
from tests.faults.client import PACE, Client

pytestmark = pytest.mark.e2e

COPY = ("sh", "/var/lib/stackctl/copy-certificates")
"""What certbot's loop runs after a renewal."""

_GAP = re.compile(r"the proxy was replaced: (\d+) ms of downtime")


def digests(stack: Stack) -> dict[str, str]:
    """The content of every file of the old stack's, and the modes: what must come back byte for byte."""
    found = {}
    for path in sorted(stack.directory.rglob("*")):
        name = str(path.relative_to(stack.directory))
        if name.startswith((".stackctl/", CERTBOTS_LOCK)):
            continue
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        elif path.is_file():
            found[name] = f"{path.stat().st_mode:o} {hashlib.sha256(path.read_bytes()).hexdigest()}"
    return found


def images(stack: Stack) -> dict[str, tuple[str, object, object]]:
    """What each service's container is made from."""
    made: dict[str, tuple[str, object, object]] = {}
    for service, container in stack.containers().items():
        facts = inspect(container)
        made[service] = (facts["Config"]["Image"], facts["Config"]["Cmd"], sorted(facts["HostConfig"]["Binds"] or []))
    return made


@contextmanager
def client_of(stack: Stack, name: str) -> Iterator[Client]:
    with Client(stack.address, name, stack.lab.root) as client:
        wait_until(lambda: client.requests > 20, 10, "the client asks")
        yield client
        asked = client.requests
        wait_until(lambda: client.requests > asked + 20, 20, "the client still asks")


def lost_at_most(client: Client, said: str) -> int:
    """What the printed gap allows for: a request each time the client would have asked, and those under way."""
    gap = int(_GAP.search(said)[1])  # type: ignore[index]
    allowed = gap / 1000 / PACE + 2
    assert len(client.errors) <= allowed, f"{len(client.errors)} lost in {gap} ms: {client.errors}"
    return gap


def orders(stack: Stack) -> list[str]:
    """The orders that stackctl has written down."""
    ledger = stack.directory / ".stackctl/ledger"
    return ledger.read_text().splitlines() if ledger.exists() else []


@dataclass
class Adopted:
    stack: Stack
    one: str
    two: str
    serial: int
    before: dict[str, str]
    made: dict[str, tuple[str, object, object]]
    apps: dict[str, str]
    said: str
    gap: int


@pytest.fixture(scope="module")
def seed(new_stack: NewStack) -> Adopted:
    """The stack of document 001, taken over under a steady client."""
    stack = new_stack()
    one, two = build_seed(stack)
    serial, before, made, apps = stack.serial(one), digests(stack), images(stack), stack.containers()

    shown = stack.ok("adopt")
    assert "nothing was changed" in shown.stdout
    assert digests(stack) == before
    with client_of(stack, one) as client:
        said = stack.ok("adopt", "--yes", "--force").stdout
    return Adopted(stack, one, two, serial, before, made, apps, said, lost_at_most(client, said))


def test_the_sites_are_served_as_they_were(seed: Adopted) -> None:
    stack = seed.stack
    assert stack.https(seed.one).json()["app"] == "app1"
    assert stack.https(f"www.{seed.one}").json()["app"] == "app1"
    assert stack.http(seed.one).headers["Location"] == f"https://{seed.one}/"
    assert stack.http(seed.two).json()["app"] == "app2"
    assert 0 < seed.gap < 60_000
    for service in ("app1", "app2"):
        assert stack.container(service) == seed.apps[service], "an app is not the proxy's business"


def test_nothing_was_issued(seed: Adopted) -> None:
    stack = seed.stack
    assert stack.serial(seed.one) == seed.serial
    assert orders(stack) == []
    after = digests(stack)
    assert {name: after[name] for name in seed.before if name != "docker-compose.yml"} == {
        name: digest for name, digest in seed.before.items() if name != "docker-compose.yml"
    }


def test_the_file_only_changed_where_it_must(seed: Adopted) -> None:
    text = seed.stack.file.read_text()
    assert 'version: "3.9"' in text
    assert "# the lab's own CA" in text
    assert "restart: always" in text
    assert 'email: "you@example.com"' in text, "the script says it"
    seed.stack.compose("config", "--quiet")


def test_all_is_as_stackctl_wants_it(seed: Adopted) -> None:
    stack = seed.stack
    before = stack.state()
    assert "nothing to do" in stack.ok("up", "--no-issue").stdout
    assert "nothing to adopt" in stack.ok("adopt").stdout
    assert stack.state() == before


def test_it_renews_from_now_on(seed: Adopted) -> None:
    stack = seed.stack
    assert "renewed" in stack.ok("renew", "--force", seed.one).stdout
    assert stack.serial(seed.one) != seed.serial
    # By the loop too, as it stands in the container.
    renewed = stack.serial(seed.one)
    certbot(stack.container("certbot"), "renew", "--force-renewal", "--no-random-sleep-on-renew")
    docker("exec", stack.container("certbot"), *COPY)
    docker("exec", stack.container("nginx"), "nginx", "-s", "reload")
    wait_until(lambda: stack.serial(seed.one) != renewed, 30, "the renewed certificate is served")
    assert stack.trusted(seed.one)


def test_it_is_given_back(seed: Adopted) -> None:
    stack = seed.stack
    with client_of(stack, seed.one) as client:
        said = stack.ok("rollback").stdout
    lost_at_most(client, said)
    after = digests(stack)
    # Certificates were renewed meanwhile, and are not thrown away.
    old = {name: digest for name, digest in seed.before.items() if not name.startswith("data/certbot/conf/")}
    assert {name: after.get(name) for name in old} == old
    assert images(stack) == seed.made
    assert stack.https(seed.one).json()["app"] == "app1"
    assert stack.http(seed.two).json()["app"] == "app2"


def test_giving_it_back_is_taken_back_and_done_again(seed: Adopted) -> None:
    stack, old = seed.stack, seed.stack.file.read_text()
    serial = stack.serial(seed.one)
    stack.ok("rollback", "--no-issue")
    assert stack.serial(seed.one) == serial
    assert "nothing to do" in stack.ok("up", "--no-issue").stdout
    stack.ok("rollback")
    assert stack.file.read_text() == old
    assert (images(stack), stack.serial(seed.one)) == (seed.made, serial)


def test_again_and_with_the_tree_of_the_hosts_own_certbot(seed: Adopted) -> None:
    stack = seed.stack
    here = stack.directory / "data/certbot/conf"
    elsewhere = stack.directory.parent / f"{stack.directory.name}-letsencrypt"
    here.rename(elsewhere)
    try:
        stack.file.write_text(stack.file.read_text().replace("./data/certbot/conf:", f"{elsewhere}:"))
        stack.compose("up", "--detach")
        serial = wait_until(lambda: stack.serial(seed.one), what="the old proxy serves from the host's tree")
        # What certbot's loop writes at each round is its own.
        before = {path: one for path, one in digests(stack).items() if not path.startswith(CERTBOTS_OWN)}

        said = stack.ok("adopt", "--yes", "--force", "--letsencrypt", elsewhere).stdout

        assert "adopted; 'stackctl rollback' restores" in said
        assert stack.serial(seed.one) == serial
        assert stack.trusted(seed.one)
        assert (here / "live" / seed.one / "privkey.pem").is_symlink()
        stack.ok("renew", "--force", seed.one)
        assert stack.serial(seed.one) != serial
        stack.ok("rollback")
        assert {path: digest for path, digest in digests(stack).items() if path in before} == before
        assert stack.serial(seed.one) == serial, "the old proxy never left the host's tree"
    finally:
        shutil.rmtree(elsewhere, ignore_errors=True)  # the loop of the old certbot may write its lock meanwhile


@pytest.fixture(scope="module")
def grown(new_stack: NewStack) -> Adopted:
    """A stack with more to it, taken over under a steady client."""
    stack = new_stack()
    shop, blog = build_other_places(stack)
    serial, before, made, apps = stack.serial(shop), digests(stack), images(stack), stack.containers()
    with client_of(stack, shop) as client:
        said = stack.ok("adopt", "--yes", "--force").stdout
    return Adopted(stack, shop, blog, serial, before, made, apps, said, lost_at_most(client, said))


def test_what_stackctl_has_no_key_for_goes_on_working(grown: Adopted) -> None:
    stack, shop = grown.stack, grown.one
    assert stack.https(shop).json()["headers"]["X-Team"] == "blue"
    assert stack.https(shop).headers["X-Frame-Options"] == "DENY"
    assert stack.https(shop, "/static/hello.txt").body == b"hello\n"
    assert stack.https(shop, "/api/").json()["app"] == "api"
    assert stack.https(shop, "/api/").json()["host"] == "api:8000", "as nginx called it before"
    assert stack.https(shop, "/private/").status == 401
    ann = {"Authorization": "Basic YW5uOnNlY3JldA=="}
    assert stack.https(shop, "/private/", headers=ann).json()["app"] == "app1"
    assert stack.https(grown.two).json()["app"] == "app2"
    # An app that is gone costs its own location, and no one's reload.
    stack.compose("stop", "api")
    stack.ok("up", "--no-issue")
    assert "nothing to do" in stack.ok("up", "--no-issue").stdout


def test_a_tree_elsewhere_is_copied_with_its_links_and_modes(grown: Adopted) -> None:
    stack = grown.stack
    after = digests(stack)
    assert {name: after[name] for name in grown.before if name != "docker-compose.yml"} == {
        name: digest for name, digest in grown.before.items() if name != "docker-compose.yml"
    }, "the old tree is as it was"
    lineage = f"{grown.one}-0001"
    old, new = "letsencrypt/etc", "data/certbot/conf"
    for path in (f"live/{lineage}/fullchain.pem", f"archive/{lineage}/privkey1.pem"):
        assert after[f"{new}/{path}"] == grown.before[f"{old}/{path}"]
    assert any(name.startswith(f"{new}/accounts/") for name in after)
    assert (stack.serial(grown.one), orders(stack)) == (grown.serial, [])
    assert stack.serial(grown.two) == grown.serial, "both sites share it"


def test_one_had_by_standalone_renews_by_the_webroot(grown: Adopted) -> None:
    stack, lineage = grown.stack, f"{grown.one}-0001"
    renewal = (stack.directory / f"data/certbot/conf/renewal/{lineage}.conf").read_text()
    assert "authenticator = webroot" in renewal
    assert "docker exec" not in renewal
    force = ("--force-renewal", "--no-random-sleep-on-renew", "--cert-name", lineage)
    certbot(stack.container("letsencrypt"), "renew", *force)
    docker("exec", stack.container("letsencrypt"), *COPY)
    docker("exec", stack.container("proxy"), "nginx", "-s", "reload")
    wait_until(lambda: stack.serial(grown.one) != grown.serial, 30, "the renewed certificate is served")
    assert sans(stack.certificate(grown.two)) == {grown.one, grown.two}
    # stackctl requests the names of all sites that share it.
    stack.ok("renew", "--force", grown.two)
    assert sans(stack.certificate(grown.one)) == {grown.one, grown.two}
    assert stack.lineages() == [grown.one, lineage]


@pytest.fixture(scope="module")
def variables(new_stack: NewStack) -> Iterator[Adopted]:
    """A stack by nginx-proxy's conventions, taken over under a steady client."""
    stack = new_stack()
    shop, blog = build_nginx_proxy(stack)
    serial, before, made, apps = stack.serial(shop), digests(stack), images(stack), stack.containers()
    with client_of(stack, shop) as client:
        said = stack.ok("adopt", "--yes", "--force", "--certbot-image", CERTBOT_IMAGE).stdout
    yield Adopted(stack, shop, blog, serial, before, made, apps, said, lost_at_most(client, said))
    stack.remove()
    docker("rmi", COMPANION)


def test_variables_become_routes(variables: Adopted) -> None:
    stack, shop = variables.stack, variables.one
    assert stack.https(shop).json()["app"] == "shop"
    assert stack.https(f"www.{shop}").json()["app"] == "shop"
    assert stack.https(shop, "/api/healthz").json() == {"ok": True}
    assert stack.http(variables.two).json()["app"] == "blog"
    assert set(stack.containers()) == {"nginx-proxy", "certbot", "shop", "api", "blog"}
    assert stack.container("shop") == variables.apps["shop"]
    assert "docker.sock" not in stack.file.read_text()


def test_a_certificate_that_is_not_certbots_is_served_until_it_is_due(variables: Adopted) -> None:
    stack, shop = variables.stack, variables.one
    assert (stack.serial(shop), orders(stack)) == (variables.serial, [])
    assert stack.http(shop).headers["Location"] == f"https://{shop}/"
    assert f"{shop}: skipped (not due: it is imported, and the CA is asked near its end)" in stack.ok("renew").stdout
    assert f"issue a certificate for {shop}" not in stack.ok("up", "--dry-run").stdout


def test_a_stack_of_stackctls_that_lost_its_settings_loses_no_request(variables: Adopted) -> None:
    stack = variables.stack
    whole = stack.file.read_text()
    doc = Document.parse(whole, "docker-compose.yml")
    for path in (("x-stackctl",), ("services", "shop", "x-stackctl"), ("services", "blog", "x-stackctl")):
        doc = edit.remove(doc, path)
    stack.file.write_text(doc.text)
    proxy = stack.container("nginx-proxy")
    with client_of(stack, variables.one) as client:
        said = stack.ok("adopt", "--yes", "--force").stdout
    assert client.errors == []
    assert "no downtime" in said
    assert stack.container("nginx-proxy") == proxy
    text = stack.file.read_text()
    # Which files the certificate came from is known no more; it is served until it is due.
    kept = [line for line in whole.split("\nx-stackctl:")[0].splitlines() if "certificate: {file:" not in line]
    assert text.split("\nx-stackctl:")[0].splitlines() == kept
    assert "nothing to do" in stack.ok("up", "--no-issue").stdout
