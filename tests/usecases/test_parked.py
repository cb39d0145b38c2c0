"""A live site that the proxy rejects by now is parked: all others change, renew and reload."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from stackctl.adapters.fakes.proxy import OnHost
from stackctl.engine.apply import staging
from stackctl.errors import ExitCode
from stackctl.observed.containers import Output
from tests.usecases.world import World, data, done

ONE, TWO, THREE = "one.example.com", "two.example.com", "three.example.com"


@pytest.fixture
def two(site: World) -> World:
    """Sites one and two, each with a file of the user's that nginx accepts so far."""
    for name in (ONE, TWO):
        site.custom(f"{name}.conf", f"# {name}\nwas_fine on;\n")
    done(site.add(TWO))
    done(site.up())
    return site


@pytest.fixture
def reject(two: World, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """From now on nginx rejects the user's files of these sites, and of no other."""
    test = two.fake.proxy.test

    def change(*names: str) -> None:
        def judged(folder: Path, shown: str, on_host: OnHost) -> Output:
            for name in names:
                file = folder / f"sites/{name}.custom"
                if file.is_file() and b"was_fine" in file.read_bytes():
                    return Output(1, f'nginx: [emerg] unknown directive "was_fine" in {shown}/sites/{name}.custom:2\n')
            return test(folder, shown, on_host)

        monkeypatch.setattr(two.fake.proxy, "test", judged)

    return change


def parked(world: World) -> dict[str, str]:
    return {row["app"]: row["parked"] for row in world.rows().values() if row["parked"]}


def test_another_sites_change_goes_live_and_the_command_names_the_site_that_is_parked(
    two: World, reject: Callable[..., None]
) -> None:
    reject(TWO)
    result = two.add(THREE)
    (error,) = result.errors
    assert (error.code, error.where) == (ExitCode.PROXY_REJECTED, f"nginx/custom/{TWO}.conf:2")
    assert TWO in error.message
    assert two.fake.loaded.keys() == {ONE, THREE}
    assert two.served() == {ONE: "real", TWO: "nothing", THREE: "real"}
    assert parked(two) == {TWO: f'nginx/custom/{TWO}.conf:2: nginx rejects it: unknown directive "was_fine"'}
    assert not [path for path in two.live() if TWO in path and not path.endswith(".parked")]


def test_the_next_up_brings_it_back_once_it_passes(two: World, reject: Callable[..., None]) -> None:
    reject(TWO)
    two.add(THREE)
    again = two.up()
    assert [error.code for error in again.errors] == [ExitCode.PROXY_REJECTED]
    assert f"({TWO} is parked)" in str(again.plan)
    assert parked(two).keys() == {TWO}
    reject()
    done(two.up())
    assert two.served() == dict.fromkeys((ONE, TWO, THREE), "real")
    assert not parked(two)
    assert not two.up().plan


def test_every_site_that_fails_is_parked_and_a_new_one_is_only_rejected(
    two: World, reject: Callable[..., None]
) -> None:
    reject(ONE, TWO, THREE)
    two.custom(f"{THREE}.conf", "was_fine on;\n")
    result = two.add(THREE)
    assert {error.where for error in result.errors} == {
        f"nginx/custom/{name}.conf:{line}" for name, line in ((ONE, 2), (TWO, 2), (THREE, 2))
    }
    assert two.fake.loaded == {}
    assert parked(two).keys() == {ONE, TWO}


def test_live_files_that_were_edited_are_replaced_by_what_is_rendered(two: World) -> None:
    (two.root / f"nginx/live/sites/{TWO}.conf").write_text("server {\nnot_a_directive on;\n}\n")
    done(two.add(THREE))
    assert two.served() == dict.fromkeys((ONE, TWO, THREE), "real")


def test_a_change_for_all_sites_that_one_of_them_does_not_survive_is_refused_as_a_whole(
    two: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = two.fake.proxy.test

    def judged(folder: Path, shown: str, on_host: OnHost) -> Output:
        if (folder / "snippets/http.custom").is_file() and (folder / f"sites/{TWO}.custom").is_file():
            return Output(1, f"nginx: [emerg] conflict in {shown}/sites/{TWO}.custom:1\n")
        return test(folder, shown, on_host)

    monkeypatch.setattr(two.fake.proxy, "test", judged)
    two.custom("http.conf", "# of all\n")
    published = two.published()
    assert [error.code for error in two.up().errors] == [ExitCode.PROXY_REJECTED]
    assert two.published() == published
    assert two.served() == dict.fromkeys((ONE, TWO), "real")


UNNAMED = 'nginx: [emerg] "ssl_certificate_key" is missing\n'


def test_a_rejection_that_names_no_site_concerns_only_the_site_that_causes_it(
    two: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """nginx looks for some faults only at the end, and then says neither file nor line."""
    test = two.fake.proxy.test

    def judged(folder: Path, shown: str, on_host: OnHost) -> Output:
        texts = [path.read_bytes() for path in (folder / "sites").glob("*.custom")]
        return Output(1, UNNAMED) if any(b"bad on" in text for text in texts) else test(folder, shown, on_host)

    monkeypatch.setattr(two.fake.proxy, "test", judged)
    two.custom(f"{TWO}.conf", "bad on;\n")
    two.custom(f"{ONE}.conf", "good on;\n")
    assert [error.code for error in two.up().errors] == [ExitCode.PROXY_REJECTED]
    assert two.served() == dict.fromkeys((ONE, TWO), "real")
    assert b"good on" in two.live()[f"sites/{ONE}.custom"]
    assert b"was_fine" in two.live()[f"sites/{TWO}.custom"]


@pytest.mark.parametrize("failing", [(ONE,), (TWO,), (ONE, TWO)])
def test_a_live_site_that_nginx_rejects_without_a_name_is_parked(
    two: World, monkeypatch: pytest.MonkeyPatch, failing: tuple[str, ...]
) -> None:
    test = two.fake.proxy.test

    def judged(folder: Path, shown: str, on_host: OnHost) -> Output:
        files = [folder / f"sites/{name}.custom" for name in failing]
        return Output(1, UNNAMED) if any(one.is_file() for one in files) else test(folder, shown, on_host)

    monkeypatch.setattr(two.fake.proxy, "test", judged)
    assert {error.code for error in two.add(THREE).errors} == {ExitCode.PROXY_REJECTED}
    assert parked(two).keys() == set(failing)
    assert two.served() == dict.fromkeys((ONE, TWO, THREE), "real") | dict.fromkeys(failing, "nothing")


def test_a_rejection_without_a_name_that_no_site_causes_changes_nothing(
    two: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(two.fake.proxy, "test", lambda *_: Output(1, UNNAMED))
    published = two.published()
    assert [error.code for error in two.add(THREE).errors] == [ExitCode.PROXY_REJECTED]
    assert two.published() == published
    assert not parked(two)


def test_a_file_of_an_editor_on_windows_begins_with_a_byte_order_mark(two: World) -> None:
    two.custom(f"{TWO}.conf", "\ufeffclient_max_body_size 1m;\r\n")
    done(two.up())
    assert two.live()[f"sites/{TWO}.custom"].startswith(b"client_max_body_size")
    assert b"client_max_body_size" not in two.live()[f"sites/{TWO}.conf"]


def test_a_renewed_certificate_is_loaded_although_another_site_fails(two: World, reject: Callable[..., None]) -> None:
    reject(TWO)
    result = two.renew(ONE)
    assert [error.code for error in result.errors] == [ExitCode.PROXY_REJECTED]
    assert two.served() == {ONE: "real", TWO: "nothing"}
    assert parked(two).keys() == {TWO}


def test_a_parked_site_can_be_removed(two: World, reject: Callable[..., None]) -> None:
    reject(TWO)
    two.add(THREE)
    done(two.remove(TWO))
    assert not [path for path in two.live() if TWO in path]
    assert two.served() == dict.fromkeys((ONE, THREE), "real")


def test_more_sites_than_can_be_parked_are_not_a_fault_of_sites(
    two: World, reject: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "MOST_PARKED", 1)
    reject(ONE, TWO)
    published = two.published()
    assert [error.code for error in two.add(THREE).errors] == [ExitCode.PROXY_REJECTED]
    assert two.published() == published


def test_doctor_names_a_parked_site_and_what_brings_it_back(two: World, reject: Callable[..., None]) -> None:
    assert "parked" not in two.doctor()["apps"]
    reject(TWO)
    two.add(THREE)
    assert two.doctor()["apps"]["parked"] == "wrong"
    sections = data(two.diagnosis)["sections"]
    (check,) = [row for one in sections for row in one["checks"] if row["name"] == "parked"]
    assert (check["subject"], check["todo"]) == (TWO, "correct it, then run 'stackctl up'")
    assert f"nginx/custom/{TWO}.conf:2" in check["text"]
