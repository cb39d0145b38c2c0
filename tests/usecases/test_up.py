from __future__ import annotations

import re
import shutil
from collections.abc import Callable

import pytest

from stackctl.adapters.fakes.network import FakeNetwork
from stackctl.engine.apply import services
from stackctl.errors import EngineError, ExitCode, HostError, StackfileError
from stackctl.model.acme import LETSENCRYPT, LETSENCRYPT_STAGING
from stackctl.observed.containers import Output
from stackctl.plan.operations import Publish, ReloadProxy, RemoveContainers, StageFiles
from tests.usecases.world import World, data, done


def test_an_edit_by_hand_is_taken_up(site: World) -> None:
    site.edit("      port: 8000\n", "      port: 8000\n      body-size: 1g\n")
    done(site.up())
    assert b"client_max_body_size 1g;" in site.live()["sites/one.example.com.conf"]
    assert not site.up().plan


def test_a_new_alias_by_hand_gets_a_new_certificate_of_the_same_lineage(site: World) -> None:
    site.edit("- one.example.com\n", "- one.example.com\n        - www.example.com\n")
    done(site.up())
    assert site.fake.ca.issued[-1] == ("one.example.com", "www.example.com")
    assert set(site.host.directory.lineages()) == {"one.example.com"}
    assert set(site.fake.loaded) == {"one.example.com", "www.example.com"}
    assert not site.up().plan


def test_while_the_new_alias_has_no_certificate_the_old_name_keeps_its_own(site: World) -> None:
    shown = site.fake.loaded["one.example.com"]
    site.edit("- one.example.com\n", "- one.example.com\n        - www.example.com\n")
    site.fake.faults.issue["www.example.com"] = "dns"
    assert site.up().code is ExitCode.ISSUE_FAILED
    assert site.fake.loaded["one.example.com"] == shown


def test_a_service_whose_definition_changed_is_replaced(site: World) -> None:
    before = {number for number, run in site.fake.runs.items() if run.service.name == "one"}
    site.edit('image: "one:latest"\n', 'image: "one:latest"\n    environment:\n      A: "1"\n')
    done(site.up())
    assert before.isdisjoint(site.fake.runs)


def test_a_service_whose_image_was_built_anew_is_replaced(site: World) -> None:
    site.fake.builds["one:latest"] += 1
    result = done(site.up())
    assert "its image changed" in str(result.plan)
    assert not site.up().plan


def test_a_container_that_the_user_stopped_comes_back(site: World) -> None:
    site.fake.remove([number for number, run in site.fake.runs.items() if run.service.name == "one"])
    done(site.up())
    assert site.rows()["one.example.com"]["health"] == "running"


def test_after_down_up_brings_everything_back_and_asks_no_ca(site: World) -> None:
    result = site.down()
    assert data(result)["stopped"] == ["certbot", "nginx", "one"]
    assert site.served() == {"one.example.com": "nothing"}
    done(site.up())
    assert site.served() == {"one.example.com": "real"}
    assert len(site.fake.ca.issued) == 1


def test_a_service_taken_out_by_hand_is_stopped_and_served_no_more(site: World) -> None:
    text = site.text
    site.file.write_text(text[: text.index("  one:\n")])
    done(site.up())
    assert {run.service.name for run in site.fake.runs.values()} == {"nginx", "certbot"}
    assert site.fake.loaded == {}


def test_a_bad_snippet_parks_its_own_site_alone(site: World) -> None:
    done(site.add("two.example.com"))
    site.custom("one.example.com.conf", "add_header X-One 1;\nnot_a_directive on;\n")
    site.custom("two.example.com.conf", "add_header X-Two 2;\n")
    result = site.up()
    assert [error.code for error in result.errors] == [ExitCode.PROXY_REJECTED]
    assert result.errors[0].where == "nginx/custom/one.example.com.conf:2"
    assert "not_a_directive" in result.errors[0].message
    live = site.live()
    assert live["sites/two.example.com.custom"] == b"add_header X-Two 2;\n"
    assert "sites/one.example.com.custom" not in live
    assert site.served() == {"one.example.com": "real", "two.example.com": "real"}
    assert site.fake.loaded_generation == site.published()


def test_a_snippet_that_is_mended_goes_live(site: World) -> None:
    site.custom("one.example.com.conf", "not_a_directive on;\n")
    assert site.up().code is ExitCode.PROXY_REJECTED
    site.custom("one.example.com.conf", "add_header X-One 1;\n")
    done(site.up())
    assert "sites/one.example.com.custom" in site.live()


def test_a_bad_snippet_of_one_site_does_not_stop_a_new_one(site: World) -> None:
    site.custom("one.example.com.conf", "not_a_directive on;\n")
    result = site.add("two.example.com")
    assert [error.where for error in result.errors] in ([], ["nginx/custom/one.example.com.conf:1"])
    assert site.served() == {"one.example.com": "real", "two.example.com": "real"}


def test_a_new_site_with_a_bad_snippet_is_parked_and_the_rest_stays(site: World) -> None:
    site.custom("two.example.com.conf", "not_a_directive on;\n")
    result = site.add("two.example.com")
    assert result.code is ExitCode.PROXY_REJECTED
    assert site.served()["one.example.com"] == "real"
    assert "sites/two.example.com.conf" not in site.live()
    site.custom("two.example.com.conf", "")
    done(site.up())
    assert site.served()["two.example.com"] == "real"


@pytest.mark.parametrize("kind", ["directory", "link"])
def test_what_is_no_file_among_the_snippets_is_named_and_changes_nothing(site: World, kind: str) -> None:
    path = site.root / "nginx/custom/one.example.com.conf"
    path.mkdir() if kind == "directory" else path.symlink_to("nowhere")
    before = site.tree()
    with pytest.raises(HostError, match="not a file") as raised:
        site.up()
    assert raised.value.where == "nginx/custom/one.example.com.conf"
    assert "remove it" in (raised.value.hint or "")
    assert site.tree() == before


def test_a_bad_shared_snippet_changes_nothing_at_all(site: World) -> None:
    live = site.live()
    site.custom("http.conf", "# fine\nnot_a_directive on;\n")
    result = site.up()
    assert [error.where for error in result.errors] == ["nginx/custom/http.conf:2"]
    assert site.live() == live
    assert site.served() == {"one.example.com": "real"}


def test_a_parked_site_leaves_no_staged_generation_behind(site: World) -> None:
    site.custom("one.example.com.conf", "not_a_directive on;\n")
    site.up()
    bad = [path for path in (site.root / "nginx/generations").rglob("*") if path.is_file()]
    assert not any(b"not_a_directive" in path.read_bytes() for path in bad)


def configuration_tests(world: World) -> list[str]:
    """How the configuration was tested so far: by the running proxy, or by a container of its own."""
    return [call.split()[0] for call in world.fake.calls if " -t " in call]


@pytest.mark.parametrize("change", ["", "image", "definition"])
def test_the_running_proxy_never_tests_what_it_will_start_with(site: World, change: str) -> None:
    before = len(configuration_tests(site))
    site.custom("http.conf", "# of all\n")
    if change == "image":
        site.fake.builds["nginx:1.30"] += 1
    elif change:
        site.edit('image: "nginx:1.30"\n', 'image: "nginx:1.30"\n    environment:\n      A: "1"\n')
    done(site.up())
    assert configuration_tests(site)[before:] == ["run_once"]


def test_a_proxy_service_that_is_renamed_takes_the_ports_over(site: World) -> None:
    site.edit("\n  nginx:\n", "\n  edge:\n")
    result = done(site.up())
    assert "the Compose file no longer has this service" in str(result.plan)
    assert {run.service.name for run in site.fake.runs.values()} == {"edge", "certbot", "one"}
    assert site.served() == {"one.example.com": "real"}


def test_a_reload_is_a_signal_only_right_after_a_test_of_the_same_files(
    site: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    done(site.add("two.example.com", issue=False))
    conf = site.root / "data/certbot/conf/renewal/one.example.com.conf"
    conf.write_text(conf.read_text().replace(LETSENCRYPT, LETSENCRYPT_STAGING))
    passes = site.fake.proxy_test

    def refuses_the_new_certificate(root: str) -> Output:
        file = site.root / "nginx" / root / "sites/two.example.com.conf"
        if "pairs/lineages" in file.read_text():
            at = f"/etc/nginx/{root}/sites/two.example.com.conf:1"
            return Output(1, f"nginx: [emerg] cannot load certificate in {at}\n")
        return passes(root)

    monkeypatch.setattr(site.fake, "proxy_test", refuses_the_new_certificate)
    before = len(site.fake.calls)
    result = site.up()
    assert [error.code for error in result.errors] == [ExitCode.PROXY_REJECTED]
    calls = site.fake.calls[before:]
    assert any(call.endswith("nginx -e /dev/stderr -s reload") for call in calls)
    assert not [call for call in calls if call.startswith("signal")]


def test_an_empty_plan_tests_and_reloads_nothing(site: World) -> None:
    before = len(site.asked("execute"))
    assert not site.up().plan
    assert len(site.asked("execute")) == before


def test_a_proxy_that_runs_another_generation_is_reloaded(site: World) -> None:
    site.fake.loaded_generation = "0" * 16
    result = done(site.up())
    assert [type(step.operation) for step in result.steps][:1] == [ReloadProxy]
    assert not any(isinstance(step.operation, StageFiles | Publish) for step in result.steps)


def test_a_certificate_renewed_behind_our_back_is_taken_up(site: World) -> None:
    old = site.fake.loaded["one.example.com"]
    chain, key = site.fake.ca.issue(["one.example.com"], site.clock())
    live = site.root / "data/certbot/conf/live/one.example.com"
    (live / "fullchain.pem").resolve().write_bytes(chain)
    (live / "privkey.pem").resolve().write_bytes(key)
    done(site.up())
    assert site.fake.loaded["one.example.com"] != old
    assert site.served() == {"one.example.com": "real"}


@pytest.mark.parametrize("lost", ["fullchain.pem", "privkey.pem"])
def test_a_lineage_that_cannot_be_used_is_issued_again(site: World, lost: str) -> None:
    (site.root / "data/certbot/conf/live/one.example.com" / lost).unlink()
    done(site.up())
    assert site.served() == {"one.example.com": "real"}


def test_lost_live_files_are_written_again(site: World) -> None:
    (site.root / "nginx/live").unlink()
    done(site.up())
    assert site.served() == {"one.example.com": "real"}
    assert not site.up().plan


def test_a_cause_that_affects_every_service_ends_the_command(site: World) -> None:
    site.fake.images |= {"two:latest": (8000,), "three:latest": (8000,)}
    for name in ("two", "three"):
        done(site.add(f"{name}.example.com"))
    site.fake.remove([container.id for container in site.fake.containers("stack")])
    site.fake.faults.up_impossible = "the engine has no address pool left"
    calls = len(site.fake.calls)
    result = site.up()
    assert [str(error) for error in result.errors] == ["the engine has no address pool left"]
    assert result.code is ExitCode.ENGINE
    assert [step.status for step in result.steps if step.status != "skipped"] == ["failed"]
    tried = [call for call in site.fake.calls[calls:] if call.startswith(("up ", "accepts"))]
    assert len(tried) == 1
    site.fake.faults.up_impossible = None
    done(site.up())
    assert set(site.served()) == {"one.example.com", "two.example.com", "three.example.com"}


def test_without_an_engine_nothing_is_touched(site: World) -> None:
    before = site.tree()
    site.fake.faults.away = True
    with pytest.raises(EngineError, match="Docker Engine does not answer"):
        site.up()
    assert site.tree() == before


@pytest.mark.parametrize(
    ("old", "new", "at"),
    [
        ("      port: 8000\n", "      prot: 8000\n", "prot: 8000"),
        ("      port: 8000\n", "      port: 80000\n", "port: 80000"),
        ("- one.example.com\n", "- one example\n", "- one example"),
        ("- one.example.com\n", "- one.example.com\n        - one.example.com\n", None),
        ('ca: "letsencrypt"\n', 'ca: "http://plain"\n', "http://plain"),
        ("agree-tos: true\n", "agree-tos: perhaps\n", "perhaps"),
    ],
)
def test_a_wrong_edit_is_named_with_its_line_and_changes_nothing(
    site: World, old: str, new: str, at: str | None
) -> None:
    site.edit(old, new)
    before = site.tree()
    with pytest.raises(StackfileError) as refused:
        site.up()
    if at is not None:
        assert refused.value.where == site.line_of(at)
    assert site.tree() == before
    assert site.fake.loaded.keys() == {"one.example.com"}


def test_apps_that_do_not_answer_are_waited_for_together_and_hold_up_no_other(
    site: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("two", "three"):
        done(site.add(f"{name}.example.com", issue=False))
    done(site.down())
    site.fake.faults.silent = {"one", "two"}
    waits: list[float] = []

    def counted(look: Callable[[], bool | None], seconds: float) -> bool | None:
        waits.append(seconds)
        return look()

    monkeypatch.setattr(services, "wait_for", counted)
    result = site.up()
    assert len(waits) == 1
    assert sorted(str(error).split()[2] for error in result.errors) == ["one", "two"]
    assert site.served()["three.example.com"] == "real"


def test_one_service_that_does_not_start_does_not_stop_another(site: World) -> None:
    done(site.add("two.example.com"))
    done(site.down())
    site.fake.faults.up_fails.add("one")
    result = site.up()
    assert result.code is ExitCode.ENGINE
    assert site.served()["two.example.com"] == "real"
    assert site.rows()["two.example.com"]["health"] == "running"


@pytest.mark.parametrize(
    ("folder", "services"),
    [
        ("data/certs", []),
        ("data/certbot/deploy", ["nginx", "certbot"]),
        ("data/certbot/www", ["nginx", "certbot"]),
        ("data/ca", ["certbot"]),
        ("nginx/custom", []),
    ],
)
def test_who_has_a_deleted_folder_mounted_is_made_anew(site: World, folder: str, services: list[str]) -> None:
    shutil.rmtree(site.root / folder, ignore_errors=True)
    before = {run.service.name: id_ for id_, run in site.fake.runs.items()}
    result = done(site.up())
    removed = [step.operation.service for step in result.steps if isinstance(step.operation, RemoveContainers)]
    assert removed == services
    after = {run.service.name: id_ for id_, run in site.fake.runs.items()}
    assert {name for name in after if after[name] != before[name]} == set(services)
    assert site.served() == {"one.example.com": "real"}
    assert not site.up().plan


def test_a_proxy_that_does_not_exist_is_refused_by_line(world: World) -> None:
    done(world.init())
    world.edit("x-stackctl:\n", "x-stackctl:\n  proxy: traefik\n")
    with pytest.raises(StackfileError, match="unknown proxy 'traefik'") as caught:
        world.up()
    assert caught.value.where == world.line_of("proxy: traefik")
    assert caught.value.hint == "use one of: nginx, haproxy"


def test_a_host_without_ipv6_gets_a_proxy_that_starts_there(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.init()
    done(world.add("one.example.com"))

    def listens() -> set[str]:
        live = world.root / "nginx/live"
        return set(re.findall(r"listen ([^ ;]+)", "".join(path.read_text() for path in live.rglob("*.conf"))))

    assert listens() == {"80", "443", "[::]:80", "[::]:443"}
    monkeypatch.setattr(FakeNetwork, "ipv6", False)
    done(world.up())
    assert listens() == {"80", "443"}
    assert not world.up().plan


def test_a_file_that_is_named_after_the_former_first_name_is_reported(site: World) -> None:
    for file in ("one.example.com.conf", "one.example.com.location.conf"):
        site.custom(file, "# mine\n")
    assert done(site.up()).notes == ()
    site.edit("- one.example.com\n", "- www.example.com\n        - one.example.com\n")
    site.custom("www.example.com.conf", "# newer\n")
    end = "has no effect, because the first name of that app is www.example.com"
    assert site.up(dry_run=True).notes == (
        f"nginx/custom/one.example.com.conf {end}: move its directives to nginx/custom/www.example.com.conf",
        f"nginx/custom/one.example.com.location.conf {end}: rename it to nginx/custom/www.example.com.location.conf",
    )
    site.custom("http.conf", "# include custom/one.example.com.conf; include custom/one.example.com.location.conf;\n")
    assert site.up(dry_run=True).notes == ()
