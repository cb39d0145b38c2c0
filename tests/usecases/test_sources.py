"""A source of certificates that exists only here goes through the same use cases: a CA in this process."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from stackctl.adapters.fakes.certbot import FakeCa
from stackctl.certs.copied import Pair, stored_pair
from stackctl.certs.held import Held
from stackctl.certs.request import CertificateRequest
from stackctl.certs.shelf import Stored
from stackctl.certs.source import Candidate
from stackctl.engine.context import Context
from stackctl.errors import IssueFailed, StackctlError
from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.plan.certificates import CheckNames, DeleteCertificate, Issue
from tests.usecases.world import World, done

ONE, LOCAL = "one.example.com", "one.test"
NAME = "process"


class ProcessCa:
    """Signs certificates in this process for the sites below ``.test``, and stores them below ``data/certs``."""

    name = NAME

    def __init__(self) -> None:
        self.ca = FakeCa(timedelta(days=30))
        self.deleted: list[str] = []
        self.refuses = False

    def owns(self, stack: Stack, site: Site) -> bool:
        assert site in stack.sites
        return site.name.endswith(".test")

    def wants(self, candidate: Candidate) -> str | None:
        one = candidate.held.certificate
        if candidate.held.source != NAME or one is None:
            return "the local CA has issued none yet"
        return None if set(one.names) == set(candidate.site.domains) else "its names changed"

    def request(self, candidate: Candidate, *, force: bool) -> CertificateRequest:
        return CertificateRequest(candidate.site.lineage, candidate.site.domains, force=force)

    def authority(self, stack: Stack) -> None:
        assert stack.acme.directory, "it is another source's"

    def pair(self, site: Site, request: CertificateRequest) -> Pair:
        assert request.names == site.domains
        return stored_pair(site.name)

    def preflight(
        self, context: Context, project: str, stack: Stack, operations: Sequence[CheckNames]
    ) -> list[StackctlError | None]:
        raise AssertionError((context, project, stack, operations))

    def issue(
        self, context: Context, project: str, stack: Stack, requests: Sequence[CertificateRequest], *, paced: bool
    ) -> dict[str, StackctlError]:
        assert (project, paced) == (context.directory.root.name, True)
        assert all(stack.site(request.lineage) for request in requests)
        if self.refuses:
            return {request.lineage: IssueFailed(f"{request.lineage}: refused") for request in requests}
        for request in requests:
            pair = self.ca.issue(request.names, context.now())
            context.directory.store_pair(request.lineage, *pair, source=NAME)
        return {}

    def delete(self, context: Context, project: str, stack: Stack, held: Held) -> None:
        assert stack.site(held.site) is None
        assert project == context.directory.root.name
        self.deleted.append(held.site)


@pytest.fixture
def ca(stack: World) -> ProcessCa:
    source = ProcessCa()
    stack.issuers = {source.name: source, **stack.issuers}
    return source


def of(world: World, name: str) -> Stored | None:
    return world.host.directory.shelf([name], world.clock()).stored.get(name)


def test_it_issues_for_its_sites_and_the_others_go_to_certbot(stack: World, ca: ProcessCa) -> None:
    result = done(stack.add(LOCAL))
    assert [one.source for one in result.plan.operations if isinstance(one, Issue)] == [NAME]
    assert not any(isinstance(one, CheckNames) for one in result.plan.operations), "no CA validates its names"
    done(stack.add(ONE, service="two", image="two:latest"))
    assert (ca.ca.issued, stack.fake.ca.issued) == ([(LOCAL,)], [(ONE,)])
    assert stack.served() == {LOCAL: "real", ONE: "real"}
    assert (
        f"ssl_certificate /var/lib/stackctl/pairs/stored/{LOCAL}/fullchain.pem;".encode()
        in stack.live()[f"sites/{LOCAL}.conf"]
    )
    assert not stack.on_http(LOCAL)
    assert not stack.up().plan


def test_what_is_stored_records_it(stack: World, ca: ProcessCa) -> None:
    done(stack.add(LOCAL))
    stored = of(stack, LOCAL)
    assert stored is not None
    assert stored.source == ca.name


def test_its_names_change(stack: World, ca: ProcessCa) -> None:
    done(stack.add(LOCAL))
    stack.edit(f"- {LOCAL}\n", f"- {LOCAL}\n        - www.{LOCAL}\n")
    done(stack.up())
    assert ca.ca.issued == [(LOCAL,), (LOCAL, f"www.{LOCAL}")]
    assert stack.served() == {LOCAL: "real"}


def test_it_renews_what_is_due(stack: World, ca: ProcessCa) -> None:
    done(stack.add(LOCAL))
    assert not stack.renew().plan
    stack.clock.now += timedelta(days=25)
    before = of(stack, LOCAL)
    done(stack.renew())
    assert ca.ca.issued == [(LOCAL,)] * 2
    assert of(stack, LOCAL) != before
    assert stack.served() == {LOCAL: "real"}
    assert stack.fake.ca.issued == []


def test_its_failure_is_that_of_its_site_alone(stack: World, ca: ProcessCa) -> None:
    ca.refuses = True
    result = stack.add(LOCAL)
    assert [str(error) for error in result.errors] == [f"{LOCAL}: refused"]
    assert stack.served() == {LOCAL: "dummy"}
    ca.refuses = False
    done(stack.up())
    assert stack.served() == {LOCAL: "real"}


def test_it_deletes_its_certificate(stack: World, ca: ProcessCa) -> None:
    done(stack.add(LOCAL))
    result = done(stack.remove(LOCAL, delete_cert=True))
    assert [one.held.source for one in result.plan.operations if isinstance(one, DeleteCertificate)] == [NAME]
    assert ca.deleted == [LOCAL]
    assert not (stack.root / "data/certs" / LOCAL).exists()
    assert not any("certbot delete" in call for call in stack.fake.calls)


def test_a_certificate_of_a_source_that_is_gone_is_treated_as_an_imported_one(stack: World, ca: ProcessCa) -> None:
    done(stack.add(LOCAL))
    stack.issuers = {name: one for name, one in stack.issuers.items() if one is not ca}
    assert not stack.up().plan
    done(stack.remove(LOCAL, delete_cert=True))
    assert not (stack.root / "data/certs" / LOCAL).exists()
