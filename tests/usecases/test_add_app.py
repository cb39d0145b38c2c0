from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from stackctl.errors import EngineError, ExitCode, InputError, StackfileError
from stackctl.observed.containers import Deployment
from stackctl.plan.operations import ReloadProxy
from stackctl.stackfile.document import Document
from tests.usecases.world import World, done


def test_a_new_service_is_started_routed_and_served_with_a_real_certificate(stack: World) -> None:
    result = done(stack.add("one.example.com"))
    assert result.code is ExitCode.OK
    row = stack.rows()["one.example.com"]
    assert (row["upstream"], row["health"], row["served"]) == ("one:8000", "running", "real")
    assert not stack.on_http("one.example.com")


def test_until_the_certificate_is_there_the_site_is_on_http(stack: World) -> None:
    done(stack.add("one.example.com", issue=False))
    assert stack.served() == {"one.example.com": "dummy"}
    assert stack.on_http("one.example.com")
    assert stack.fake.ca.issued == []


def test_aliases_stand_on_the_same_certificate(stack: World) -> None:
    done(stack.add("one.example.com", "www.example.com", "example.com"))
    assert stack.fake.ca.issued == [("one.example.com", "www.example.com", "example.com")]
    assert set(stack.fake.loaded) == {"one.example.com", "www.example.com", "example.com"}


def test_an_existing_service_gets_a_route_and_is_not_restarted(stack: World) -> None:
    stack.file.write_text(stack.text + "\n  two:\n    image: two:latest\n")
    done(stack.up())
    before = {run.service.name: number for number, run in stack.fake.runs.items()}
    done(stack.add("shop.example.com", service="two"))
    assert {run.service.name: number for number, run in stack.fake.runs.items()} == before
    assert stack.rows()["shop.example.com"]["upstream"] == "two:3000"
    assert stack.served() == {"shop.example.com": "real"}


def test_the_service_of_the_first_label_is_taken_where_it_is_there(stack: World) -> None:
    stack.file.write_text(stack.text + "\n  two:\n    image: two:latest\n")
    done(stack.add("two.example.com"))
    assert stack.text.count("two:latest") == 1


def test_something_outside_compose_is_routed(stack: World) -> None:
    stack.fake.outside.add(("10.0.0.5", 8080))
    done(stack.add("legacy.example.com", upstream="10.0.0.5:8080"))
    row = stack.rows()["legacy.example.com"]
    assert (row["upstream"], row["health"], row["served"]) == ("10.0.0.5:8080", "answers", "real")
    assert not any(run.service.name == "legacy" for run in stack.fake.runs.values())


def test_a_second_site_of_a_service(site: World) -> None:
    done(site.add("shop.example.com", service="one"))
    assert site.served() == {"one.example.com": "real", "shop.example.com": "real"}
    assert sum(run.service.name == "one" for run in site.fake.runs.values()) == 1


def test_a_second_site_by_accident_is_refused(site: World) -> None:
    before = site.tree()
    with pytest.raises(InputError, match="already serves another site") as refused:
        site.add("one.example.org")
    assert refused.value.where == site.line_of("  one:")
    assert site.tree() == before


@pytest.mark.parametrize(
    ("image", "port", "expected"),
    [
        ("one:latest", None, 8000),
        ("two:latest", None, 3000),
        ("three:latest", None, 8000),
        ("four:latest", 9090, 9090),
    ],
    ids=["the only one", "the only one, another", "none exposed", "named"],
)
def test_the_port(stack: World, image: str, port: int | None, expected: int) -> None:
    result = stack.add("app.example.com", service="app", image=image, port=port, issue=False, dry_run=True)
    assert f"wait until app:{expected} answers" in str(result.plan)


def test_several_ports_are_refused_by_their_numbers(stack: World) -> None:
    before = stack.tree()
    with pytest.raises(InputError, match="has several ports: ") as refused:
        stack.add("app.example.com", service="app", image="four:latest")
    assert all(str(port) in refused.value.message for port in stack.fake.images["four:latest"])
    assert refused.value.field == "port"
    assert "choose the one" in (refused.value.hint or "")
    assert stack.tree() == before


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("", 3000),
        ("expose: ['4000']", 4000),
        ("ports: ['127.0.0.1:8081:4000']", 4000),
        ("expose: ['4000']\n    ports: ['8081:4000']", 4000),
    ],
)
def test_the_port_of_a_service_is_the_one_it_exposes(stack: World, keys: str, expected: int) -> None:
    stack.file.write_text(f"{stack.text}\n  two:\n    image: two:latest\n    {keys}\n")
    result = stack.add("two.example.com", issue=False, dry_run=True)
    assert f"wait until two:{expected} answers" in str(result.plan)


def test_a_service_that_exposes_several_ports_is_refused(stack: World) -> None:
    stack.file.write_text(f"{stack.text}\n  two:\n    image: two:latest\n    expose: ['4000', '9229']\n")
    with pytest.raises(InputError, match="the service two has several ports: 4000, 9229"):
        stack.add("two.example.com")


def test_a_wrong_port_of_a_running_service_is_reported(site: World) -> None:
    site.file.write_text(site.text + "\n  two:\n    image: two:latest\n")
    done(site.up())
    result = site.add("two.example.com", service="two", port=9999)
    assert result.code is ExitCode.ENGINE
    (error,) = result.errors
    assert "the service two does not answer on port 9999" in error.message
    assert "wrong port: nothing listens on 9999" in error.message
    assert "set 'port: 3000' at docker-compose.yml:" in (error.hint or "")
    assert site.served()["two.example.com"] == "real"
    site.edit("port: 9999", "port: 3000")
    result = done(site.up())
    assert "wait until two:3000 answers" in str(result.plan)


def test_the_same_add_app_again_changes_nothing_and_asks_nobody(site: World) -> None:
    before, loaded = site.tree(), len(site.asked("execute"))
    result = done(site.add("one.example.com"))
    assert not result.plan
    assert not result.changed
    assert site.tree() == before
    assert len(site.asked("execute")) == loaded
    assert len(site.fake.ca.issued) == 1


@pytest.mark.parametrize(
    "different",
    [{"port": 9000}, {"service": "two"}, {"image": "two:latest"}, {"upstream": "10.0.0.5:80"}],
    ids=lambda value: next(iter(value)),
)
def test_the_same_domain_with_other_options_is_refused_with_the_line(site: World, different: dict[str, Any]) -> None:
    before = site.tree()
    with pytest.raises(InputError, match=next(iter(different))) as refused:
        site.add("one.example.com", **different)
    lines = site.text.splitlines()
    assert refused.value.where == f"docker-compose.yml:{lines.index('    x-stackctl:') + 1}"
    assert refused.value.hint
    assert site.tree() == before


def test_other_aliases_are_refused(site: World) -> None:
    with pytest.raises(InputError, match=r"aliases none, not www\.example\.com"):
        site.add("one.example.com", "www.example.com")


def test_a_name_that_is_anothers_alias_is_refused(stack: World) -> None:
    done(stack.add("one.example.com", "www.example.com"))
    before = stack.tree()
    for names in (("www.example.com",), ("two.example.com", "www.example.com"), ("two.example.com", "one.example.com")):
        with pytest.raises(InputError, match=r"already routed by the site one\.example\.com"):
            stack.add(*names)
    assert stack.tree() == before


@pytest.mark.parametrize("aliases", [("a.example.com",), ("b.example.com", "b.example.com")])
def test_a_domain_named_twice_is_refused(stack: World, aliases: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="twice"):
        stack.add("a.example.com", *aliases)


@pytest.mark.parametrize("name", ["nginx", "certbot"])
def test_the_stacks_own_services_are_no_apps(stack: World, name: str) -> None:
    with pytest.raises(InputError, match="a service of the stack itself"):
        stack.add(f"{name}.example.com")


def test_without_the_image_nothing_is_written(stack: World) -> None:
    before = stack.tree()
    with pytest.raises(EngineError, match="nowhere:1"):
        stack.add("one.example.com", image="nowhere:1")
    assert stack.tree() == before
    assert len(stack.fake.runs) == 2


def test_an_image_that_the_registry_has_is_fetched_first(stack: World) -> None:
    stack.fake.registry["fresh:1"] = (5000,)
    done(stack.add("fresh.example.com", image="fresh:1"))
    assert stack.rows()["fresh.example.com"]["upstream"] == "fresh:5000"


def test_a_dry_run_writes_nothing_even_for_a_new_image(stack: World) -> None:
    stack.fake.registry["fresh:1"] = (5000,)
    before = stack.tree()
    result = stack.add("fresh.example.com", image="fresh:1", dry_run=True)
    assert result.plan
    assert stack.tree() == before


def test_an_environment_file_inside_the_stack_is_named_relative_to_it(stack: World) -> None:
    (stack.root / "one.env").write_text("A=1\n")
    done(stack.add("one.example.com", env_file=stack.root / "one.env"))
    assert '- "./one.env"' in stack.text


def test_an_environment_file_that_is_not_there_is_refused(stack: World) -> None:
    before = stack.tree()
    with pytest.raises(InputError) as refused:
        stack.add("one.example.com", env_file=stack.root / "none.env")
    assert refused.value.field == "env_file"
    assert stack.tree() == before


def test_an_app_that_exits_at_once_fails_alone_and_shows_its_log(site: World) -> None:
    site.fake.faults.exits.add("two")
    result = site.add("two.example.com")
    assert [error.code for error in result.errors] == [ExitCode.ENGINE]
    assert "two says hello" in str(result.errors[0])
    assert site.served()["one.example.com"] == "real"
    site.fake.faults.exits.clear()
    done(site.add("two.example.com"))
    assert site.served() == {"one.example.com": "real", "two.example.com": "real"}


def test_a_log_that_cannot_be_read_does_not_replace_the_error_that_it_explains(
    site: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_container: str, _lines: int) -> str:
        raise EngineError("Docker reports an error: configured logging driver does not support reading")

    monkeypatch.setattr(site.fake, "log", fail)
    site.fake.faults.exits.add("two")
    (error,) = site.add("two.example.com").errors
    assert "the service two does not keep running" in str(error)
    assert "its log cannot be read: Docker reports an error" in str(error)


def test_an_app_that_never_answers_fails_alone(site: World) -> None:
    site.fake.faults.silent.add("two")
    result = site.add("two.example.com")
    assert [error.code for error in result.errors] == [ExitCode.ENGINE]
    assert "does not answer on port 3000" in str(result.errors[0])
    assert site.served() == {"one.example.com": "real", "two.example.com": "real"}
    last = site.host.directory.history.last()
    assert last is not None
    assert last.generation == site.published()
    site.fake.faults.silent.clear()
    assert not done(site.up()).plan


def test_an_app_that_is_unhealthy_is_not_said_to_be_deaf(site: World, monkeypatch: pytest.MonkeyPatch) -> None:
    containers = site.fake.containers

    def sick(project: str) -> Deployment:
        found = containers(project)
        return Deployment(tuple(replace(one, health="unhealthy") if one.service == "two" else one for one in found))

    monkeypatch.setattr(site.fake, "containers", sick)
    site.fake.looks.seen["two"] = {"health_output": "the queue is full"}
    result = site.add("two.example.com")
    assert [error.code for error in result.errors] == [ExitCode.ENGINE]
    assert "two is not healthy" in str(result.errors[0])
    assert "'unhealthy': the queue is full" in str(result.errors[0])
    assert site.served()["one.example.com"] == "real"


def test_a_service_that_cannot_be_started_fails_alone(site: World) -> None:
    site.fake.faults.up_fails.add("two")
    result = site.add("two.example.com")
    assert [error.code for error in result.errors] == [ExitCode.ENGINE]
    assert site.served()["one.example.com"] == "real"
    site.fake.faults.up_fails.clear()
    done(site.add("two.example.com"))


def test_a_reload_that_fails_is_reported_and_mended_by_the_next_run(site: World) -> None:
    site.fake.faults.reload_fails = True
    result = site.add("two.example.com")
    assert [error.code for error in result.errors] == [ExitCode.ENGINE]
    assert site.served()["one.example.com"] == "real"
    site.fake.faults.reload_fails = False
    done(site.add("two.example.com"))
    assert site.served() == {"one.example.com": "real", "two.example.com": "real"}


def test_an_app_on_no_network_of_the_proxy_is_refused(stack: World) -> None:
    own = "\n  two:\n    image: two:latest\n    networks:\n      - back\nnetworks:\n  back:\n"
    stack.file.write_text(stack.text + own)
    done(stack.up())
    before = stack.tree()
    with pytest.raises(StackfileError, match="shares no network"):
        stack.add("two.example.com")
    assert stack.tree() == before


def test_a_network_mode_is_not_answered_with_networks(stack: World) -> None:
    own = "\n  two:\n    image: two:latest\n    network_mode: host\n"
    stack.file.write_text(stack.text + own)
    done(stack.up())
    with pytest.raises(StackfileError, match="shares no network") as refused:
        stack.add("two.example.com")
    assert refused.value.where == stack.line_of("network_mode: host")
    assert "network 'default'" not in (refused.value.hint or "")


def test_a_lost_certificate_of_another_site_does_not_stop_a_new_one(site: World) -> None:
    site.fake.execute(
        next(number for number, run in site.fake.runs.items() if run.service.role == "certbot"),
        ["certbot", "delete", "--non-interactive", "--cert-name", "one.example.com"],
    )
    done(site.add("two.example.com"))
    assert site.served()["two.example.com"] == "real"


def test_one_reload_for_the_new_files_and_one_for_the_certificate(stack: World) -> None:
    result = done(stack.add("one.example.com"))
    assert sum(isinstance(step.operation, ReloadProxy) for step in result.steps) == 2
    assert len(stack.asked("signal")) == 2
    assert not [call for call in stack.asked("execute") if call.endswith("reload")], "it would test once more"


@pytest.mark.parametrize("sent", [False, True], ids=["is not the first process", "does not get the signal"])
def test_a_proxy_that_no_signal_reaches_is_reloaded_by_its_own_command(
    stack: World, monkeypatch: pytest.MonkeyPatch, sent: bool
) -> None:
    monkeypatch.setattr(stack.fake, "signal", lambda *_: sent)
    done(stack.add("one.example.com"))
    assert stack.served() == {"one.example.com": "real"}
    assert len([call for call in stack.asked("execute") if call.endswith("reload")]) == 2


def test_compose_is_asked_once(stack: World) -> None:
    before = len(stack.asked("resolve"))
    done(stack.add("two.example.com", upstream="10.0.0.5:8080"))
    assert len(stack.asked("resolve")) == before + 1


def test_options_of_a_service_make_no_sense_with_an_upstream(stack: World) -> None:
    with pytest.raises(InputError) as refused:
        stack.add("a.example.com", upstream="10.0.0.5:80", port=80)
    assert refused.value.field == "port"


def test_an_option_that_would_change_an_existing_service_is_refused(site: World) -> None:
    with pytest.raises(InputError, match="add-app does not change its image") as refused:
        site.add("shop.example.com", service="one", image="two:latest")
    assert refused.value.where == site.line_of("  one:")


@pytest.mark.parametrize(
    ("service", "reason"),
    [
        ("web: &web\n    image: one:latest\n  worker:\n    <<: *web\n", "is an alias of another block"),
        ("other: &other\n    image: one:latest\n  web: *other\n", "is an alias of another block"),
        ("web: {image: one:latest}\n", "is in flow style"),
    ],
)
def test_a_route_goes_to_the_top_where_its_service_cannot_take_it(site: World, service: str, reason: str) -> None:
    site.file.write_text(site.text.rstrip("\n") + f"\n  {service}")
    done(site.up())
    before = site.text
    result = done(site.add("shop.example.com", service="web", port=8000))
    (note,) = [note for note in site.report.notes if "x-stackctl.apps" in note]
    assert reason in note
    assert note.startswith(f"{site.file.name}:")
    assert not [step for step in result.steps if "start service" in step.operation.text], "it runs already"
    assert [app["service"] for app in Document.parse(site.text, "f").data(("x-stackctl", "apps"))] == ["web"]
    assert not site.up().plan
    done(site.remove("shop.example.com"))
    assert site.text == before
