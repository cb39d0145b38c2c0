"""Plans, compared as the text the user reads: what is done, in which order, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from stackctl.certs.copied import lineage_pair
from stackctl.certs.held import Held, held
from stackctl.certs.hook import deploy_hook
from stackctl.certs.ledger import Entry, Ledger
from stackctl.certs.lineage import Lineage
from stackctl.certs.settings import TreeSettings
from stackctl.certs.shelf import Shelf, Source, Stored
from stackctl.certs.watch_files import watch_files
from stackctl.engine.sources.registered import ISSUERS
from stackctl.model.acme import LETSENCRYPT, LETSENCRYPT_STAGING, Acme
from stackctl.model.backends import Backend, Server
from stackctl.model.endpoints import Endpoint
from stackctl.model.layout import DOCKERIGNORE, GITIGNORE
from stackctl.model.matching import Match
from stackctl.model.project import Project, Service
from stackctl.model.routing import Route
from stackctl.model.stack import Stack
from stackctl.model.values import Domain
from stackctl.observed.containers import Container
from stackctl.observed.state import Observed
from stackctl.plan import ignore_files
from stackctl.plan.certificates import AlignSettings, CheckNames, DeferIssue, Issue, RefuseIssue
from stackctl.plan.intent import Intent
from stackctl.plan.operation import Operation, Plan
from stackctl.plan.operations import MakeDummy, Publish, PullImage, ReloadProxy, StageFiles, StartProxy, VerifySite
from stackctl.plan.planner import make_plan
from stackctl.plan.services import start_cause, start_services
from stackctl.proxies.nginx.proxy import Nginx
from stackctl.proxies.sites import Rendering, site_tls
from tests.unit.build import (
    CERTBOT,
    NGINX,
    NOW,
    certificate,
    container,
    deployment,
    dummy,
    images,
    lineage,
    project,
    service,
    site,
    stack,
    whole,
)

TEXT = "services: {}\n"
A, B = Domain("a.example.com"), Domain("b.example.com")
WEB, API = service("web"), service("api")
SITE_A = site(A, service="web")
SITE_B = site(B, service="api")
OWNED = Held(B, Source.ACME, lineage_pair(B), certificate(B), B)


def rendering(version: tuple[int, ...] = (1, 30, 4), custom: dict[str, bytes] | None = None) -> Rendering:
    return Rendering(Nginx(), version, custom or {})


IGNORE_FILES = dict.fromkeys((GITIGNORE, DOCKERIGNORE), "".join(f"{line}\n" for line in ignore_files.LINES).encode())


def live_of(
    stack: Stack,
    lineages: dict[str, Lineage],
    custom: dict[str, bytes] | None = None,
    version: tuple[int, ...] = (1, 30, 4),
) -> dict[str, bytes]:
    tls = {one.name: site_tls(one, held(one, Shelf(lineages))) for one in stack.sites}
    return whole(rendering(version, custom), stack, tls)


def settled(
    stack: Stack,
    *services: Service,
    issued: Iterable[Lineage] = (),
    custom: dict[str, bytes] | None = None,
    version: tuple[int, ...] = (1, 30, 4),
) -> Observed:
    """Everything as ``stack`` wants it, with ``issued`` certificates and dummies for all apps."""
    lineages = {one.name: one for one in issued}
    return Observed(
        stackfile=TEXT,
        project=project(*services),
        version=version,
        live=live_of(stack, lineages, custom, version),
        generation="g1",
        published="g1",
        containers=deployment(
            container("nginx", role="proxy"),
            container("certbot", role="certbot"),
            *(container(one.name) for one in services),
        ),
        images=images(*services),
        shelf=Shelf(lineages, {one.name: dummy_of(*one.domains) for one in stack.sites}),
        custom=custom or {},
        hook=deploy_hook(),
        ignore_files=IGNORE_FILES,
    )


def dummy_of(*names: str) -> Stored:
    return Stored.of(dummy(*names, fingerprint=f"dummy {names[0]}"))


def plan(stack: Stack, observed: Observed, intent: Intent | None = None, text: str = TEXT) -> Plan:
    written = observed.watch_files or watch_files(stack, observed.project.name)
    observed = replace(observed, watch_files=written)
    return make_plan(
        stack, text, intent or Intent(), observed, rendering(observed.version, dict(observed.custom)), ISSUERS
    )


def lines(text: str) -> str:
    """The lines of an indented literal."""
    return "\n".join(line.strip() for line in text.strip().splitlines())


def of_kind(made: Plan, kind: type[Operation]) -> list[Operation]:
    return [operation for operation in made.operations if isinstance(operation, kind)]


def without(observed: Observed, *services: str) -> Observed:
    return replace(
        observed, containers=deployment(*(one for one in observed.containers if one.service not in services))
    )


def with_container(observed: Observed, changed: Container) -> Observed:
    others = [one for one in observed.containers if one.id != changed.id]
    return replace(observed, containers=deployment(*others, changed))


# Nothing to do


def test_nothing_is_done_where_nothing_differs() -> None:
    desired = stack(SITE_A, SITE_B)
    observed = settled(desired, WEB, API, issued=[lineage(A), lineage(B)])
    made = plan(desired, observed)
    assert str(made) == ""
    assert not made


def test_nothing_is_done_for_a_stack_without_apps() -> None:
    assert not plan(stack(), settled(stack()))


@pytest.mark.parametrize("version", [(1, 22, 1), (1, 26, 3), (1, 30, 4)])
def test_nothing_is_done_with_any_version_custom_files_and_tls_on_the_wire(version: tuple[int, ...]) -> None:
    desired = stack(SITE_A)
    custom = {"http.conf": b"# mine\n", f"{A}.conf": b"# mine too\n"}
    observed = settled(desired, WEB, issued=[lineage(A)], custom=custom, version=version)
    assert not plan(desired, replace(observed, served={A: certificate(A)}))


def test_a_service_without_a_domain_is_left_alone_while_it_runs() -> None:
    desired = stack(SITE_A)
    assert not plan(desired, settled(desired, WEB, service("db"), issued=[lineage(A)]))


def test_a_service_whose_profile_is_not_active_is_not_started() -> None:
    desired = stack(SITE_A)
    observed = settled(desired, issued=[lineage(A)])
    assert not plan(desired, observed)


def test_a_certificate_with_more_life_or_less_is_not_requested_again_by_up() -> None:
    desired = stack(SITE_A)
    old = replace(lineage(A), certificate=certificate(A, days=-1))
    assert not plan(desired, settled(desired, WEB, issued=[old]))


# From nothing


def nothing(project: Project) -> Observed:
    return Observed(
        stackfile=None,
        project=project,
        version=(1, 30, 4),
        missing=("nginx", "data/certs"),
        ignore_files=IGNORE_FILES,
    )


def test_a_first_init_makes_everything_in_order() -> None:
    made = plan(stack(), replace(nothing(project()), images=images()))
    assert str(made) == lines(
        """
        create nginx, data/certs  (missing)
        write certbot's deploy hook data/certbot/deploy/copy-certificates  (missing)
        write docker-compose.yml  (missing)
        stage nginx.conf, snippets/acme.conf, snippets/https.conf, \
snippets/proxy.conf, snippets/removed.conf and 1 more  (missing)
        test the staged configuration and make it live  (the proxy's files change)
        start service certbot  (not running yet)
        start the proxy nginx  (not running yet)
        """
    )


def test_a_first_up_of_an_app_serves_its_dummy_before_it_asks_for_a_certificate() -> None:
    observed = replace(nothing(project(WEB)), stackfile=TEXT, missing=(), images={"nginx:1.30": "id of nginx"})
    assert str(plan(stack(SITE_A), observed)) == lines(
        """
        write certbot's deploy hook data/certbot/deploy/copy-certificates  (missing)
        create a dummy certificate for a.example.com  (no certificate yet)
        pull web:1  (not on this host)
        start service web  (not running yet)
        wait until web:8000 answers  (not running yet)
        stage nginx.conf, snippets/acme.conf, snippets/https.conf, \
snippets/proxy.conf, snippets/removed.conf and 1 more  (missing)
        stage sites/a.example.com.conf  (a.example.com is new)
        test the staged configuration and make it live  (the proxy's files change)
        pull certbot:1  (not on this host)
        start service certbot  (not running yet)
        start the proxy nginx  (not running yet)
        verify that a.example.com is served with its dummy certificate  (the proxy loaded its files)
        check that a.example.com resolves to this host  (failed validations count against a limit)
        issue a certificate for a.example.com  (it has no certificate yet)
        stage sites/a.example.com.conf, sites/a.example.com.redirect  (its certificate is issued)
        test the staged configuration and make it live  (certificates were issued)
        reload the proxy  (certificates were issued)
        verify that a.example.com is served with its real certificate  (its certificate was issued)
        """
    )


# Apps


def test_a_new_app_touches_no_other() -> None:
    desired = stack(SITE_A, SITE_B)
    before = settled(stack(SITE_A), WEB, API, issued=[lineage(A)])
    observed = without(before, "api")
    assert str(plan(desired, observed, Intent(focus=frozenset({B})), "services: {new: {}}\n")) == lines(
        """
        write docker-compose.yml  (the stack changes)
        create a dummy certificate for b.example.com  (no certificate yet)
        start service api  (not running yet)
        wait until api:8000 answers  (not running yet)
        stage sites/b.example.com.conf  (b.example.com is new)
        test the staged configuration and make it live  (the proxy's files change)
        reload the proxy  (its files changed)
        verify that b.example.com is served with its dummy certificate  (the proxy loaded its files)
        check that b.example.com resolves to this host  (failed validations count against a limit)
        issue a certificate for b.example.com  (it has no certificate yet)
        stage sites/b.example.com.conf, sites/b.example.com.redirect  (its certificate is issued)
        test the staged configuration and make it live  (certificates were issued)
        reload the proxy  (certificates were issued)
        verify that b.example.com is served with its real certificate  (its certificate was issued)
        """
    )


def test_an_app_outside_compose_has_no_service_to_start() -> None:
    outside = site(B, host="10.0.0.5")
    observed = settled(stack(SITE_A), WEB, issued=[lineage(A)])
    made = plan(stack(SITE_A, outside), observed, Intent(issue=False))
    assert str(made) == lines(
        """
        create a dummy certificate for b.example.com  (no certificate yet)
        stage sites/b.example.com.conf  (b.example.com is new)
        test the staged configuration and make it live  (the proxy's files change)
        reload the proxy  (its files changed)
        verify that a.example.com is served with its real certificate  (the proxy loaded its files)
        verify that b.example.com is served with its dummy certificate  (the proxy loaded its files)
        """
    )


def test_an_app_that_was_adopted_with_its_certificate_needs_no_dummy() -> None:
    desired = stack(SITE_A)
    observed = replace(settled(stack(), WEB), shelf=Shelf({A: lineage(A)}))
    assert str(plan(desired, observed)) == lines(
        """
        wait until web:8000 answers  (newly routed)
        stage sites/a.example.com.conf, sites/a.example.com.redirect  (a.example.com is new)
        test the staged configuration and make it live  (the proxy's files change)
        reload the proxy  (its files changed)
        verify that a.example.com is served with its real certificate  (the proxy loaded its files)
        """
    )


def test_a_changed_upstream_changes_its_own_site_alone() -> None:
    observed = settled(stack(SITE_A, SITE_B), WEB, API, issued=[lineage(A), lineage(B)])
    made = plan(stack(site(A, service="web", port=9000), SITE_B), observed)
    assert str(made) == lines(
        """
        wait until web:9000 answers  (newly routed)
        stage sites/a.example.com.conf  (a.example.com changed)
        test the staged configuration and make it live  (the proxy's files change)
        reload the proxy  (its files changed)
        verify that a.example.com is served with its real certificate  (the proxy loaded its files)
        verify that b.example.com is served with its real certificate  (the proxy loaded its files)
        """
    )


def test_every_service_behind_a_site_is_awaited_on_its_port_in_the_scope_of_the_site() -> None:
    routes = (
        Route(Match(), Backend((Server.of(WEB.name, 8000), Server.of(WEB.name, 9000)))),
        Route(Match.of("/api"), Backend((Server.of(API.name, 3000), Server(Endpoint("10.0.0.5", 80))))),
        Route(Match.of("/v2"), Backend((replace(Server.of(API.name, 3000), weight=2),))),
    )
    both, observed = replace(SITE_A, routes=routes), replace(settled(stack(), WEB, API), containers=deployment())
    started = partial(start_services, stack(both), [both], (), everything=False, observed=observed)
    live = {one.scope for one in started()}
    assert live == {"service:web", "service:api"}, "a server that is live holds up no change of the others"
    assert [(one.text, one.scope) for one in started(rerouted=dict.fromkeys(both.servers, False))] == [
        ("start service web", A),
        ("start service api", A),
        ("wait until web:8000 answers", A),
        ("wait until web:9000 answers", A),
        ("wait until api:3000 answers", A),
    ]


def test_an_added_alias_stays_on_http_until_the_certificate_covers_it() -> None:
    www = Domain("www.example.com")
    observed = settled(stack(SITE_A), WEB, issued=[lineage(A)])
    desired = stack(site(A, www, service="web"))
    made = plan(desired, observed)
    assert str(made) == lines(
        """
        stage sites/a.example.com.conf  (a.example.com changed)
        test the staged configuration and make it live  (the proxy's files change)
        reload the proxy  (its files changed)
        verify that a.example.com is served with its real certificate  (the proxy loaded its files)
        check that a.example.com, www.example.com resolve to this host  (failed validations count against a limit)
        issue a certificate for a.example.com, www.example.com  (its names changed)
        stage sites/a.example.com.conf, sites/a.example.com.redirect  (its certificate is issued)
        test the staged configuration and make it live  (certificates were issued)
        reload the proxy  (certificates were issued)
        verify that a.example.com is served with its real certificate  (its certificate was issued)
        """
    )
    first, second = of_kind(made, StageFiles)
    assert isinstance(first, StageFiles)
    assert isinstance(second, StageFiles)
    assert f"sites/{A}.redirect" not in first.files  # a.example.com goes on being redirected, it alone
    assert b"listen 80;\n    listen [::]:80;\n    server_name www.example.com;" in first.files[f"sites/{A}.conf"]
    assert second.files[f"sites/{A}.redirect"] == b"server_name a.example.com www.example.com;\n"
    assert b"listen 80" not in second.files[f"sites/{A}.conf"]


def test_a_removed_alias_is_asked_off_the_certificate() -> None:
    www = Domain("www.example.com")
    observed = settled(stack(site(A, www)), WEB, issued=[lineage(A, www)])
    made = plan(stack(SITE_A), observed)
    assert "issue a certificate for a.example.com  (its names changed)" in str(made)


def test_names_in_another_order_are_the_same_names() -> None:
    desired = stack(site(A, "z.example.com", "c.example.com"))
    assert not plan(desired, settled(desired, WEB, issued=[lineage(A, "c.example.com", "z.example.com")]))


def test_a_dummy_that_lacks_a_name_is_made_again() -> None:
    desired = stack(site(A, "www.example.com"))
    observed = replace(settled(desired, WEB), shelf=Shelf({}, {A: dummy_of(A)}))
    made = plan(desired, observed, Intent(issue=False))
    assert str(made).splitlines()[0] == "create a dummy certificate for a.example.com  (no certificate yet)"


def test_a_dummy_with_more_names_is_kept() -> None:
    desired = stack(SITE_A)
    observed = replace(settled(desired, WEB), shelf=Shelf({}, {A: dummy_of(A, "www.example.com")}))
    assert not plan(desired, observed, Intent(issue=False))


@pytest.mark.parametrize("problem", ["privkey.pem is missing", "privkey.pem does not match the certificate"])
def test_a_lineage_that_cannot_be_used_is_served_by_a_dummy_and_requested(problem: str) -> None:
    desired = stack(SITE_A)
    broken = lineage(A, problem=problem)
    observed = replace(settled(desired, WEB, issued=[lineage(A)]), shelf=Shelf({A: broken}))
    assert str(plan(desired, observed)) == lines(
        f"""
        create a dummy certificate for a.example.com  (no certificate yet)
        stage sites/a.example.com.conf, removal of sites/a.example.com.redirect  (a.example.com changed)
        test the staged configuration and make it live  (the proxy's files change)
        reload the proxy  (its files changed)
        verify that a.example.com is served with its dummy certificate  (the proxy loaded its files)
        check that a.example.com resolves to this host  (failed validations count against a limit)
        issue a certificate for a.example.com  (its lineage is unusable: {problem})
        stage sites/a.example.com.conf, sites/a.example.com.redirect  (its certificate is issued)
        test the staged configuration and make it live  (certificates were issued)
        reload the proxy  (certificates were issued)
        verify that a.example.com is served with its real certificate  (its certificate was issued)
        """
    )


def test_many_missing_certificates_are_requested_together_and_switched_by_one_reload() -> None:
    desired = stack(SITE_A, SITE_B)
    made = plan(desired, settled(desired, WEB, API))
    assert str(made) == lines(
        """
        check that a.example.com resolves to this host  (failed validations count against a limit)
        check that b.example.com resolves to this host  (failed validations count against a limit)
        issue a certificate for a.example.com  (it has no certificate yet)
        issue a certificate for b.example.com  (it has no certificate yet)
        stage sites/a.example.com.conf, sites/a.example.com.redirect  (its certificate is issued)
        stage sites/b.example.com.conf, sites/b.example.com.redirect  (its certificate is issued)
        test the staged configuration and make it live  (certificates were issued)
        reload the proxy  (certificates were issued)
        verify that a.example.com is served with its real certificate  (its certificate was issued)
        verify that b.example.com is served with its real certificate  (its certificate was issued)
        """
    )
    (reload,) = of_kind(made, ReloadProxy)
    assert isinstance(reload, ReloadProxy)
    assert reload.needs_one == frozenset[str]({A, B})


def test_no_issue_asks_for_nothing() -> None:
    desired = stack(SITE_A)
    assert not plan(desired, settled(desired, WEB), Intent(issue=False))


def test_a_changed_compose_file_alone_is_written_and_nothing_reloads() -> None:
    desired = stack(SITE_A)
    observed = settled(desired, WEB, issued=[lineage(A)])
    assert str(plan(desired, observed, text="# new\n")) == "write docker-compose.yml  (the stack changes)"


# Services


@pytest.mark.parametrize("state", ["exited", "created", "restarting", "paused", "dead"])
def test_a_service_that_does_not_run_is_started_and_awaited(state: str) -> None:
    desired = stack(SITE_A)
    observed = settled(desired, WEB, issued=[lineage(A)])
    made = plan(desired, with_container(observed, container("web", state=state)))
    assert str(made) == lines(
        f"""
        start service web  (it is {state})
        wait until web:8000 answers  (it is {state})
        """
    )


def test_one_stopped_replica_is_enough_to_start_its_service() -> None:
    desired = stack(SITE_A)
    observed = settled(desired, WEB, issued=[lineage(A)])
    made = plan(desired, with_container(observed, container("web", state="exited", number=2)))
    assert "start service web  (it is exited)" in str(made)


def test_a_service_whose_definition_changed_is_replaced() -> None:
    desired = stack(SITE_A)
    observed = settled(desired, WEB, issued=[lineage(A)])
    assert str(plan(desired, replace(observed, project=project(service("web", config_hash="h2"))))) == lines(
        """
        start service web  (its definition changed)
        wait until web:8000 answers  (its definition changed)
        """
    )


def test_a_service_is_replaced_with_the_one_that_it_uses() -> None:
    desired = stack(SITE_A)
    inside = replace(service("inside"), follows=frozenset({"web"}))
    further = replace(service("further"), follows=frozenset({"inside"}))
    observed = settled(desired, WEB, inside, further, issued=[lineage(A)])
    assert not plan(desired, observed)
    changed = replace(observed, project=project(service("web", config_hash="h2"), inside, further))
    expected = lines(
        """
        start service web  (its definition changed)
        start service inside  (the service web, which it uses, is replaced)
        start service further  (the service inside, which it uses, is replaced)
        wait until web:8000 answers  (its definition changed)
        """
    )
    assert str(plan(desired, changed)) == expected
    assert str(plan(desired, changed, Intent(focus=frozenset({A})))) == expected, "a command about one site too"
    # One that does not run follows nothing.
    assert "further" not in str(plan(desired, without(changed, "further"), Intent(focus=frozenset({A}))))


def test_a_service_whose_image_was_pulled_anew_is_replaced() -> None:
    desired = stack(SITE_A)
    observed = settled(desired, WEB, issued=[lineage(A)])
    assert str(plan(desired, replace(observed, images={**observed.images, "web:1": "another id"}))) == lines(
        """
        start service web  (its image changed)
        wait until web:8000 answers  (its image changed)
        """
    )


def test_a_service_that_runs_is_not_pulled_for_although_its_image_is_gone() -> None:
    desired = stack(SITE_A)
    observed = settled(desired, WEB, issued=[lineage(A)])
    assert not plan(desired, replace(observed, images={**observed.images, "web:1": None}))


def test_a_service_that_is_built_is_not_pulled() -> None:
    desired = stack(SITE_A)
    built = service("web", builds=True)
    observed = replace(without(settled(desired, built, issued=[lineage(A)]), "web"), images=images())
    assert str(plan(desired, observed)) == lines(
        """
        start service web  (not running yet)
        wait until web:8000 answers  (not running yet)
        """
    )


@pytest.mark.parametrize("health", ["starting", "unhealthy"])
def test_an_app_that_is_not_healthy_is_awaited_only_if_it_is_started(health: str) -> None:
    desired = stack(SITE_A)
    observed = settled(desired, WEB, issued=[lineage(A)])
    sick = with_container(observed, container("web", health=health))
    assert not plan(desired, sick)
    assert str(plan(desired, replace(sick, images={**observed.images, "web:1": "another id"}))) == lines(
        """
        start service web  (its image changed)
        wait until web:8000 answers  (its image changed)
        """
    )


def test_a_service_without_a_domain_is_started_and_not_awaited() -> None:
    desired = stack(SITE_A)
    observed = without(settled(desired, WEB, service("db"), issued=[lineage(A)]), "db")
    made = plan(desired, observed)
    assert str(made) == "start service db  (not running yet)"
    assert made.operations[0].scope == "service:db"


def test_a_service_of_two_apps_is_started_once_and_awaited_on_each_port() -> None:
    desired = stack(site(A, service="web", port=8000), site(B, service="web", port=9000))
    observed = without(settled(desired, WEB, issued=[lineage(A), lineage(B)]), "web")
    made = plan(desired, observed)
    assert str(made) == lines(
        """
        start service web  (not running yet)
        wait until web:8000 answers  (not running yet)
        wait until web:9000 answers  (not running yet)
        """
    )
    assert [operation.scope for operation in made.operations] == ["service:web", A, B]


def test_what_fails_with_one_app_is_in_that_apps_scope() -> None:
    observed = replace(nothing(project(WEB)), images={"nginx:1.30": "id of nginx"})
    made = plan(stack(SITE_A), observed)
    scopes = {type(operation).__name__: operation.scope for operation in made.operations}
    assert {kind for kind, scope in scopes.items() if scope == A} == {
        "MakeDummy",
        "AwaitService",
        "StageFiles",
        "VerifySite",
        "CheckNames",
        "Issue",
    }
    assert scopes["StartProxy"] is None
    assert scopes["Publish"] is None


# The proxy and certbot

GAP = ": its ports are closed for about a second"


@pytest.mark.parametrize(
    ("changed", "cause"),
    [
        (container("nginx", state="exited", role="proxy"), "it is exited"),
        (container("nginx", config_hash="h0", role="proxy"), f"its definition changed{GAP}"),
        (container("nginx", image_id="old", role="proxy"), f"its image changed{GAP}"),
    ],
)
def test_a_proxy_that_is_not_as_the_file_says_is_started_not_reloaded(changed: Container, cause: str) -> None:
    desired = stack(SITE_A)
    observed = with_container(settled(desired, WEB, issued=[lineage(A)]), changed)
    assert str(plan(desired, replace(observed, generation=None))) == lines(
        f"""
        start the proxy nginx  ({cause})
        verify that a.example.com is served with its real certificate  (the proxy loaded its files)
        """
    )


def test_a_proxy_image_is_there_before_the_configuration_is_tested_with_it() -> None:
    observed = replace(nothing(project()), images={})
    made = plan(stack(), observed)
    (pull,) = [op for op in of_kind(made, PullImage) if op.text == "pull nginx:1.30"]
    (publish,) = of_kind(made, Publish)
    assert made.operations.index(pull) < made.operations.index(publish)


def test_a_proxy_that_runs_an_older_generation_is_reloaded() -> None:
    desired = stack(SITE_A)
    observed = replace(settled(desired, WEB, issued=[lineage(A)]), generation="g0")
    assert str(plan(desired, observed)) == lines(
        """
        reload the proxy  (it runs another generation than the live one)
        verify that a.example.com is served with its real certificate  (the proxy loaded its files)
        """
    )


def test_a_proxy_that_does_not_answer_is_reloaded() -> None:
    desired = stack()
    observed = replace(settled(desired), generation=None)
    assert str(plan(desired, observed)) == "reload the proxy  (it runs another generation than the live one)"


@pytest.mark.parametrize("served", [None, certificate(A, fingerprint="the one before")])
def test_a_site_that_shows_another_certificate_than_the_one_on_disk_is_reloaded(served: object) -> None:
    desired = stack(SITE_A)
    observed = replace(settled(desired, WEB, issued=[lineage(A)]), served={A: served})  # type: ignore[dict-item]
    assert str(plan(desired, observed)) == lines(
        """
        reload the proxy  (a.example.com is not served with the certificate on disk)
        verify that a.example.com is served with its real certificate  (the proxy loaded its files)
        """
    )


def test_a_dummy_on_the_wire_is_compared_like_a_real_one() -> None:
    desired = stack(SITE_A)
    observed = settled(desired, WEB)
    shown = replace(observed, served={A: certificate(A, fingerprint=f"dummy {A}")})
    assert not plan(desired, shown, Intent(issue=False))
    stale = replace(observed, served={A: certificate(A, fingerprint="older dummy")})
    assert str(plan(desired, stale, Intent(issue=False))).startswith("reload the proxy")


def test_a_stopped_certbot_is_started_and_nothing_reloads() -> None:
    desired = stack(SITE_A)
    observed = with_container(settled(desired, WEB, issued=[lineage(A)]), container("certbot", state="exited"))
    made = plan(desired, observed)
    assert str(made) == "start service certbot  (it is exited)"
    assert made.operations[0].scope == "service:certbot"


def test_an_upgraded_nginx_gets_files_of_its_version() -> None:
    desired = stack(SITE_A)
    observed = replace(settled(desired, WEB, issued=[lineage(A)], version=(1, 26, 3)), version=(1, 30, 4))
    made = plan(desired, observed)
    assert str(made) == lines(
        """
        stage nginx.conf  (settings of all sites changed)
        stage sites/a.example.com.conf  (a.example.com changed)
        test the staged configuration and make it live  (the proxy's files change)
        reload the proxy  (its files changed)
        verify that a.example.com is served with its real certificate  (the proxy loaded its files)
        """
    )


# The user's own files


def test_a_custom_file_of_a_site_is_copied_next_to_it() -> None:
    desired = stack(SITE_A)
    observed = settled(desired, WEB, issued=[lineage(A)])
    made = plan(desired, replace(observed, custom={f"{A}.conf": b"# mine\n"}))
    assert (
        str(made).splitlines()[0]
        == "stage sites/a.example.com.conf, sites/a.example.com.custom  (a.example.com changed)"
    )


def test_a_changed_custom_file_stages_itself_alone() -> None:
    desired = stack(SITE_A)
    observed = settled(desired, WEB, issued=[lineage(A)], custom={f"{A}.conf": b"# mine\n"})
    made = plan(desired, replace(observed, custom={f"{A}.conf": b"# mine, edited\n"}))
    assert str(made).splitlines()[0] == "stage sites/a.example.com.custom  (a.example.com changed)"


def test_a_removed_custom_file_is_left_out() -> None:
    desired = stack(SITE_A)
    observed = settled(desired, WEB, issued=[lineage(A)], custom={f"{A}.conf": b"# mine\n"})
    assert str(plan(desired, replace(observed, custom={}))).splitlines()[0] == (
        "stage sites/a.example.com.conf, removal of sites/a.example.com.custom  (a.example.com changed)"
    )


def test_custom_settings_of_all_sites_come_and_go() -> None:
    desired = stack(SITE_A)
    bare = settled(desired, WEB, issued=[lineage(A)])
    made = plan(desired, replace(bare, custom={"http.conf": b"# mine\n"}))
    assert str(made).splitlines()[0] == "stage nginx.conf, snippets/http.custom  (settings of all sites changed)"
    dressed = settled(desired, WEB, issued=[lineage(A)], custom={"http.conf": b"# mine\n"})
    made = plan(desired, replace(dressed, custom={}))
    assert str(made).splitlines()[0] == "stage nginx.conf, removal of snippets/http.custom  (no longer wanted)"


def test_a_custom_file_of_no_app_has_no_effect() -> None:
    desired = stack(SITE_A)
    observed = settled(desired, WEB, issued=[lineage(A)])
    assert not plan(desired, replace(observed, custom={"unrouted.example.com.conf": b"# mine\n"}))


def test_a_file_of_nginx_that_was_edited_or_lost_is_written_again() -> None:
    desired = stack(SITE_A)
    observed = settled(desired, WEB, issued=[lineage(A)])
    live = {**observed.live, "snippets/tls.conf": b"# edited\n"}
    del live[f"sites/{A}.conf"], live[f"sites/{A}.redirect"]
    assert str(plan(desired, replace(observed, live=live))).splitlines()[:3] == [
        "wait until web:8000 answers  (newly routed)",
        "stage snippets/tls.conf  (settings of all sites changed)",
        "stage sites/a.example.com.conf, sites/a.example.com.redirect  (a.example.com is new)",
    ]


def test_a_file_that_stackctl_no_longer_writes_is_left_out() -> None:
    desired = stack()
    observed = settled(desired)
    made = plan(desired, replace(observed, live={**observed.live, "snippets/old.conf": b""}))
    assert str(made).splitlines()[0] == "stage removal of snippets/old.conf  (no longer wanted)"


# What goes


def test_a_removed_app_is_gone_from_the_wire_before_its_service_stops() -> None:
    desired = stack(SITE_A)
    before = settled(stack(SITE_A, SITE_B), WEB, API, issued=[lineage(A), lineage(B)])
    observed = replace(before, project=project(WEB))
    intent = Intent(focus=frozenset(), stop=frozenset({"api"}), delete=(OWNED,))
    assert str(plan(desired, observed, intent, "# less\n")) == lines(
        """
        write docker-compose.yml  (the stack changes)
        stage removal of sites/b.example.com.conf, sites/b.example.com.redirect  (b.example.com is no longer routed)
        test the staged configuration and make it live  (the proxy's files change)
        reload the proxy  (its files changed)
        verify that b.example.com is no longer served  (b.example.com is no longer routed)
        stop and remove service api  (its app is removed)
        delete the certificate b.example.com  (requested)
        """
    )


def test_what_takes_away_writes_the_compose_file_last() -> None:
    before = settled(stack(SITE_A, SITE_B), WEB, API, issued=[lineage(A), lineage(B)])
    intent = Intent(focus=frozenset(), stop=frozenset({"api"}), delete=(OWNED,), write_last=True)
    texts = str(plan(stack(SITE_A), before, intent, "# less\n")).splitlines()
    assert texts[0].startswith("stage removal of sites/b.example.com.conf")
    assert texts[-1] == "write docker-compose.yml  (the stack changes)"
    assert sum("write docker-compose.yml" in text for text in texts) == 1


def test_a_removed_app_keeps_its_certificate_unless_asked() -> None:
    before = settled(stack(SITE_A, SITE_B), WEB, API, issued=[lineage(A), lineage(B)])
    intent = Intent(focus=frozenset(), stop=frozenset({"api"}))
    assert "delete" not in str(plan(stack(SITE_A), before, intent))


def test_a_service_that_is_to_stop_is_not_started_first() -> None:
    desired = stack(SITE_A)
    observed = without(settled(desired, WEB, API, issued=[lineage(A)]), "api")
    assert not plan(desired, observed, Intent(stop=frozenset({"api"})))


def test_an_orphan_of_stackctl_is_removed_with_all_its_containers() -> None:
    desired = stack(SITE_A)
    observed = settled(desired, WEB, issued=[lineage(A)])
    observed = with_container(with_container(observed, container("old")), container("old", number=2, state="exited"))
    made = plan(desired, observed)
    assert str(made) == "stop and remove service old  (the Compose file no longer has this service)"
    assert made.operations[0].ids == ("old-1", "old-2")  # type: ignore[attr-defined]
    assert made.operations[0].scope == "service:old"


def test_a_proxy_under_its_former_name_goes_before_the_new_one_needs_its_ports() -> None:
    desired = stack()
    observed = with_container(without(settled(desired), "nginx"), container("edge", role="proxy"))
    assert str(plan(desired, replace(observed, generation=None))) == lines(
        """
        stop and remove service edge  (the Compose file no longer has this service)
        start the proxy nginx  (not running yet)
        """
    )


def test_a_service_of_an_inactive_profile_is_no_orphan() -> None:
    desired = replace(stack(SITE_A), services=frozenset({"web", "extra"}))
    observed = settled(desired, WEB, issued=[lineage(A)])
    assert not plan(desired, with_container(observed, container("extra")))


def test_an_orphan_of_the_users_own_is_left_alone() -> None:
    desired = stack(SITE_A)
    observed = with_container(settled(desired, WEB, issued=[lineage(A)]), container("mine", role=None))
    assert not plan(desired, observed)


def test_a_site_that_the_user_took_out_of_the_file_goes_from_the_proxy() -> None:
    before = settled(stack(SITE_A, SITE_B), WEB, API, issued=[lineage(A), lineage(B)])
    assert str(plan(stack(SITE_A), before)) == lines(
        """
        stage removal of sites/b.example.com.conf, sites/b.example.com.redirect  (b.example.com is no longer routed)
        test the staged configuration and make it live  (the proxy's files change)
        reload the proxy  (its files changed)
        verify that a.example.com is served with its real certificate  (the proxy loaded its files)
        verify that b.example.com is no longer served  (b.example.com is no longer routed)
        """
    )


def test_a_removed_site_takes_its_custom_copy_along() -> None:
    custom = {f"{B}.conf": b"# mine\n"}
    before = settled(stack(SITE_A, SITE_B), WEB, API, issued=[lineage(A), lineage(B)], custom=custom)
    assert str(plan(stack(SITE_A), before)).splitlines()[0] == (
        "stage removal of sites/b.example.com.conf, sites/b.example.com.custom, "
        "sites/b.example.com.redirect  (b.example.com is no longer routed)"
    )


@pytest.mark.parametrize("name", ["shop.custom", "shop.conf", "a.custom.conf", "custom.conf.custom"])
def test_a_site_whose_name_ends_like_a_file_is_settled_too(name: str) -> None:
    odd = site(name)
    assert not plan(stack(odd), settled(stack(odd), WEB, issued=[lineage(name)], custom={f"{name}.conf": b"# mine\n"}))


# Focus


def test_a_focus_leaves_other_apps_and_services_as_they_are() -> None:
    desired = stack(SITE_A, SITE_B)
    observed = without(settled(desired, WEB, API, service("db"), issued=[lineage(A)]), "api", "db")
    live = {k: v for k, v in observed.live.items() if "b.example.com" not in k}
    observed = replace(observed, live=live, shelf=Shelf(observed.shelf.lineages))
    assert not plan(desired, observed, Intent(focus=frozenset({A})))
    assert plan(desired, observed)


def test_an_empty_focus_is_no_app_at_all() -> None:
    desired = stack(SITE_A)
    assert not plan(desired, settled(desired, WEB), Intent(focus=frozenset()))


@pytest.mark.parametrize("focus", [frozenset[Domain](), frozenset({B})])
def test_a_live_site_that_lost_its_certificate_is_put_right_whatever_the_focus(focus: frozenset[Domain]) -> None:
    desired = stack(SITE_A, SITE_B)
    observed = settled(desired, WEB, API, issued=[lineage(A), lineage(B)])
    observed = replace(observed, shelf=Shelf({B: lineage(B)}))
    made = plan(desired, observed, Intent(focus=focus))
    assert (
        str(made).splitlines()[:4]
        == lines(
            """
        create a dummy certificate for a.example.com  (no certificate yet)
        stage sites/a.example.com.conf, removal of sites/a.example.com.redirect  (a.example.com changed)
        test the staged configuration and make it live  (the proxy's files change)
        reload the proxy  (its files changed)
        """
        ).splitlines()
    )
    assert not of_kind(made, Issue)


# Renewal


def test_a_renewal_requests_what_is_named_and_prepares_nothing() -> None:
    desired = stack(SITE_A, SITE_B)
    observed = without(settled(desired, WEB, API, issued=[lineage(A), lineage(B)]), "web")
    observed = replace(observed, missing=("nginx",))
    made = plan(desired, observed, Intent(renew={A: "due in 9 days"}), "# other\n")
    assert str(made) == lines(
        """
        check that a.example.com resolves to this host  (failed validations count against a limit)
        issue a certificate for a.example.com  (due in 9 days)
        reload the proxy  (certificates were issued)
        verify that a.example.com is served with its real certificate  (its certificate was issued)
        """
    )


def test_a_renewal_with_nothing_due_is_empty() -> None:
    desired = stack(SITE_A)
    assert not plan(desired, settled(desired, WEB, issued=[lineage(A)]), Intent(renew={}))


def test_a_first_certificate_by_renewal_switches_the_site_too() -> None:
    desired = stack(SITE_A)
    made = plan(desired, settled(desired, WEB), Intent(renew={A: "it has no certificate yet"}))
    assert str(made) == lines(
        """
        check that a.example.com resolves to this host  (failed validations count against a limit)
        issue a certificate for a.example.com  (it has no certificate yet)
        stage sites/a.example.com.conf, sites/a.example.com.redirect  (its certificate is issued)
        test the staged configuration and make it live  (certificates were issued)
        reload the proxy  (certificates were issued)
        verify that a.example.com is served with its real certificate  (its certificate was issued)
        """
    )


def test_only_what_is_forced_is_replaced_before_it_is_due() -> None:
    desired = stack(SITE_A, SITE_B)
    observed = settled(desired, WEB, API, issued=[lineage(A), lineage(B)])
    intent = Intent(renew={A: "asked for", B: "due in 9 days"}, force=frozenset({A}))
    forced = {op.request.lineage: op.request.force for op in of_kind(plan(desired, observed, intent), Issue)}  # type: ignore[attr-defined]
    assert forced == {A: True, B: False}


def test_a_renewal_stays_within_its_focus() -> None:
    desired = stack(SITE_A, SITE_B)
    observed = settled(desired, WEB, API, issued=[lineage(A), lineage(B)])
    intent = Intent(focus=frozenset({A}), renew={A: "asked for", B: "asked for"})
    assert [op.request.lineage for op in of_kind(plan(desired, observed, intent), Issue)] == [A]  # type: ignore[attr-defined]


def test_a_renewal_takes_up_what_certbot_renewed_by_itself() -> None:
    desired = stack(SITE_A)
    observed = replace(
        settled(desired, WEB, issued=[lineage(A, fingerprint="new")]), served={A: certificate(A, fingerprint="old")}
    )
    cause = "a.example.com is not served with the certificate on disk"
    assert str(plan(desired, observed, Intent(renew={}))) == lines(
        f"""
        reload the proxy  ({cause})
        verify that a.example.com is served with its real certificate  ({cause})
        """
    )


def test_a_renewal_does_not_reload_a_proxy_that_does_not_answer() -> None:
    desired = stack(SITE_A)
    observed = replace(settled(desired, WEB, issued=[lineage(A)]), generation=None)
    assert not plan(desired, observed, Intent(renew={}))


# Staging and the ledger


def acme(directory: str) -> Acme:
    return Acme(directory=directory, agree_tos=True)


def staged(*names: str) -> Lineage:
    return replace(lineage(*names), server=LETSENCRYPT_STAGING)


def test_a_certificate_of_the_staging_ca_is_replaced_once_the_stack_leaves_staging() -> None:
    desired = stack(SITE_A, acme=acme(LETSENCRYPT))
    made = plan(desired, settled(desired, WEB, issued=[staged(A)]))
    assert str(made) == lines(
        """
        check that a.example.com resolves to this host  (failed validations count against a limit)
        issue a certificate for a.example.com  (its certificate is from the staging CA)
        reload the proxy  (certificates were issued)
        verify that a.example.com is served with its real certificate  (its certificate was issued)
        """
    )
    (issue,) = of_kind(made, Issue)
    assert isinstance(issue, Issue)
    assert issue.request.force  # it is not due: certbot would keep it


def test_a_certificate_of_the_staging_ca_is_kept_while_the_stack_is_in_staging() -> None:
    desired = stack(SITE_A, acme=acme(LETSENCRYPT_STAGING))
    assert not plan(desired, settled(desired, WEB, issued=[staged(A)]))


def failed(count: int, ago: timedelta = timedelta(seconds=30)) -> Ledger:
    return Ledger(tuple(Entry(NOW - ago, LETSENCRYPT, (A,), issued=False) for _ in range(count)))


def test_what_the_ca_would_refuse_is_not_asked_and_nothing_else_is_held_back() -> None:
    desired = stack(SITE_A, SITE_B, acme=acme(LETSENCRYPT))
    observed = replace(settled(desired, WEB, API), now=NOW, ledger=failed(5))
    made = plan(desired, observed)
    (held,) = of_kind(made, DeferIssue)
    rest = [line for line in str(made).splitlines() if not line.startswith(held.text)]
    assert held.text.startswith("defer the request for a.example.com until 2026-06-01 ")
    assert (
        rest
        == lines(
            """
        check that b.example.com resolves to this host  (failed validations count against a limit)
        issue a certificate for b.example.com  (it has no certificate yet)
        stage sites/b.example.com.conf, sites/b.example.com.redirect  (its certificate is issued)
        test the staged configuration and make it live  (certificates were issued)
        reload the proxy  (certificates were issued)
        verify that b.example.com is served with its real certificate  (its certificate was issued)
        """
        ).splitlines()
    )


def test_names_are_looked_at_before_anything_is_asked_and_all_together() -> None:
    desired = stack(SITE_A, SITE_B)
    kinds = [type(operation) for operation in plan(desired, settled(desired, WEB, API)).operations]
    assert kinds[:4] == [CheckNames, CheckNames, Issue, Issue]
    (first, *_) = of_kind(plan(desired, settled(desired, WEB, API)), CheckNames)
    assert first.scope == A


@pytest.mark.parametrize(
    ("intent", "agreed"),
    [
        (Intent(check=False), True),
        (Intent(renew={A: "asked for with --force"}, force=frozenset({A})), True),
        (Intent(issue=False), True),
        (Intent(), False),
    ],
)
def test_names_are_not_looked_at_where_the_user_forces_or_nothing_would_be_asked(intent: Intent, agreed: bool) -> None:
    desired = stack(SITE_A, acme=replace(acme(LETSENCRYPT), agree_tos=agreed))
    assert not of_kind(plan(desired, settled(desired, WEB), intent), CheckNames)


def test_what_is_held_back_alone_switches_nothing() -> None:
    desired = stack(SITE_A, acme=acme(LETSENCRYPT))
    made = plan(desired, replace(settled(desired, WEB), now=NOW, ledger=failed(5)))
    assert [type(operation) for operation in made.operations] == [DeferIssue]


def test_the_user_may_ask_in_spite_of_the_ledger() -> None:
    desired = stack(SITE_A, acme=acme(LETSENCRYPT))
    made = plan(desired, replace(settled(desired, WEB), now=NOW, ledger=failed(5)), Intent(ledger=False))
    (issue,) = of_kind(made, Issue)
    assert isinstance(issue, Issue)
    assert not issue.paced


@pytest.mark.parametrize(("unattended", "kind"), [(True, DeferIssue), (False, Issue)])
def test_failures_in_a_row_hold_back_who_does_not_watch(unattended: bool, kind: type[Operation]) -> None:
    desired = stack(SITE_A, acme=acme(LETSENCRYPT))
    observed = replace(settled(desired, WEB), now=NOW, ledger=failed(1))
    made = plan(desired, observed, Intent(renew={A: "it has no certificate yet"}, unattended=unattended))
    assert of_kind(made, kind)


def test_a_failure_long_ago_holds_nobody_back() -> None:
    desired = stack(SITE_A, acme=acme(LETSENCRYPT))
    observed = replace(settled(desired, WEB), now=NOW, ledger=failed(1, timedelta(days=7)))
    made = plan(desired, observed, Intent(renew={A: "it has no certificate yet"}, unattended=True))
    assert of_kind(made, Issue)


# The CA bundle


@pytest.mark.parametrize(
    ("wished", "there", "expected"),
    [
        (None, None, ""),
        (None, b"old", ""),
        (b"new", b"new", ""),
        (b"new", b"old", "copy the CA bundle to data/ca  (requested)"),
        (b"new", None, "copy the CA bundle to data/ca  (requested)"),
    ],
)
def test_a_ca_bundle_is_copied_where_it_differs(wished: bytes | None, there: bytes | None, expected: str) -> None:
    observed = replace(settled(stack()), ca_bundle=there)
    assert str(plan(stack(), observed, Intent(ca_bundle=wished))) == expected


# Order


def test_directories_come_before_anything_is_written_into_them() -> None:
    observed = replace(nothing(project(WEB)), images={})
    kinds = [type(operation).__name__ for operation in plan(stack(SITE_A), observed, Intent(ca_bundle=b"x")).operations]
    assert kinds[:5] == ["MakeDirectories", "WriteCaBundle", "WriteHook", "WriteStackfile", "MakeDummy"]


def test_every_verification_comes_after_the_start_or_reload_it_is_about() -> None:
    observed = replace(nothing(project(WEB)), images={})
    made = plan(stack(SITE_A), observed)
    moves = [n for n, op in enumerate(made.operations) if isinstance(op, StartProxy | ReloadProxy)]
    checks = [n for n, op in enumerate(made.operations) if isinstance(op, VerifySite)]
    assert len(moves) == len(checks) == 2
    assert moves[0] < checks[0] < moves[1] < checks[1]


def test_every_operation_says_what_it_does_and_why() -> None:
    observed = replace(nothing(project(WEB)), images={})
    for operation in plan(stack(SITE_A), observed, Intent(ca_bundle=b"x")).operations:
        assert operation.text
        assert operation.cause
    with pytest.raises(NotImplementedError, match="Operation"):
        _ = Operation(cause="none").text


def test_the_same_state_makes_the_same_plan() -> None:
    desired = stack(SITE_A, SITE_B)
    observed = replace(nothing(project(WEB, API)), images={})
    assert plan(desired, observed) == plan(desired, observed)


def test_the_proxy_and_certbot_are_never_taken_for_orphans_or_apps() -> None:
    desired = stack()
    made = plan(desired, replace(without(settled(desired), "nginx", "certbot"), generation=None))
    assert str(made) == lines(
        f"""
        start service {CERTBOT.name}  (not running yet)
        start the proxy {NGINX.name}  (not running yet)
        """
    )


def test_a_job_that_has_done_its_work_is_not_begun_again_but_an_app_is() -> None:
    job = service("job")
    seen = Observed(
        stackfile=TEXT,
        project=project(job),
        version=(1, 30, 4),
        containers=deployment(replace(container("job"), state="exited", succeeded=True)),
        images=images(job),
    )
    assert start_cause(seen, "job", routed=False) is None
    assert start_cause(seen, "job") == "it is exited"
    failed = replace(seen, containers=deployment(replace(container("job"), state="exited")))
    assert start_cause(failed, "job", routed=False) == "it is exited"


def test_a_service_that_is_scaled_to_none_is_left_alone() -> None:
    none = replace(service("job"), replicas=0)
    assert start_cause(Observed(stackfile=TEXT, project=project(none), version=(1, 30, 4)), "job") is None


def test_a_wildcard_certificate_is_good_for_the_names_it_covers() -> None:
    found = lineage("*.example.com", name=A)
    intent = Intent()
    one = stack(SITE_A)
    seen = settled(one, WEB, issued=[found])
    assert "issue" not in str(make_plan(one, TEXT, intent, seen, rendering(), ISSUERS))


def test_no_wildcard_is_requested_by_a_lineage_that_the_file_names() -> None:
    """HTTP-01 cannot prove one: the CA would refuse the whole order."""
    names = (A, Domain("a.example.org"))
    desired = stack(replace(site(*names), certificate="shared"))
    found = lineage("*.example.com", "kept.example.net", name="shared")
    made = plan(desired, replace(settled(desired, WEB), shelf=Shelf({"shared": found})))
    assert not any(isinstance(one, Issue) for one in made.operations)
    (refused,) = [one for one in made.operations if isinstance(one, RefuseIssue)]
    assert "does not cover a.example.org" in refused.cause


def test_a_certificate_from_elsewhere_is_served_until_it_is_due() -> None:
    """What is in data/certs and is no dummy is a certificate like any other, but that certbot has the next."""
    desired = stack(site(A))
    there = certificate(A, fingerprint="theirs")
    observed = replace(settled(desired, WEB), shelf=Shelf({}, {A: Stored.of(there)}), now=NOW)

    taken_up = plan(desired, observed)
    [staged] = [operation for operation in taken_up.operations if isinstance(operation, StageFiles)]
    assert set(staged.files) == {f"sites/{A}.conf", f"sites/{A}.redirect"}
    assert not any(isinstance(operation, Issue | MakeDummy) for operation in taken_up.operations)
    assert [one.expect_real for one in taken_up.operations if isinstance(one, VerifySite)] == [True]

    due = plan(desired, replace(observed, now=there.not_after - timedelta(days=20)))
    assert [one.cause for one in due.operations if isinstance(one, Issue)] == ["its certificate in data/certs is due"]
    short = plan(stack(site(A, "www.example.com")), observed)
    assert [one.cause for one in short.operations if isinstance(one, Issue)] == [
        "its certificate in data/certs does not cover all of its names"
    ]


def test_a_renewal_file_is_aligned_for_all_sites_of_its_lineage() -> None:
    """The first has it by its names, the second by its key ``certificate``."""
    both = stack(SITE_A, replace(SITE_B, certificate="shared"))
    text = "[renewalparams]\nserver = https://ca.test/dir\nauthenticator = standalone\n"
    there = settled(both, WEB, API, issued=[lineage(A, name="shared")])
    operations = plan(both, replace(there, settings=TreeSettings({"shared": text}))).operations
    assert [one.scopes for one in operations if isinstance(one, AlignSettings)] == [(A, B)]
