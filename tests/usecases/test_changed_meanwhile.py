"""A file that a user saves while a command runs is neither overwritten nor lost: editors take no lock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from stackctl.errors import ExitCode
from stackctl.model.project import Project
from stackctl.plan.operation import Operation
from stackctl.plan.operations import WriteCustom, WriteStackfile
from stackctl.proxies.nginx.proxy import Nginx
from tests.usecases.world import Notes, World, done


@dataclass
class Edit(Notes):
    """Makes an edit at the moment when an operation of a kind begins."""

    kind: type[Operation] = Operation
    edit: Callable[[], object] = dict

    def begin(self, operation: Operation) -> None:
        if isinstance(operation, self.kind):
            self.edit()


def test_a_compose_file_that_is_saved_while_a_command_runs_is_kept(site: World) -> None:
    site.report = Edit(kind=WriteStackfile, edit=lambda: site.edit("port: 8000\n", "port: 8001\n"))
    result = site.add("two.example.com")
    assert result.code is ExitCode.HOST
    assert [(error.where, error.hint) for error in result.errors] == [("docker-compose.yml", "run the command again")]
    assert "port: 8001\n" in site.text
    assert "two.example.com" not in site.text
    assert "sites/two.example.com.conf" not in site.live(), "nothing is done after it"
    site.report = Notes()
    site.edit("port: 8001\n", "port: 8000\n")
    done(site.add("two.example.com"))
    assert site.served() == {"one.example.com": "real", "two.example.com": "real"}


def test_an_own_file_that_is_saved_while_a_rollback_runs_is_kept(site: World) -> None:
    site.custom("http.conf", "# 1\n")
    done(site.up())
    site.custom("http.conf", "# 2\n")
    done(site.up())
    live = site.live()
    site.report = Edit(kind=WriteCustom, edit=lambda: site.custom("http.conf", "# 3\n"))
    result = site.rollback()
    assert result.code is ExitCode.HOST
    assert [error.where for error in result.errors] == ["nginx/custom/http.conf"]
    assert site.host.directory.custom(Nginx.layout) == {"http.conf": b"# 3\n"}
    assert site.live() == live


def test_a_compose_file_that_is_saved_before_there_is_a_plan_is_kept(
    site: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve = site.fake.resolve

    def resolve_while_it_is_saved(text: str, texts: Sequence[str]) -> Project:
        if "port: 8001\n" not in site.text:
            site.edit("port: 8000\n", "port: 8001\n")
        return resolve(text, texts)

    monkeypatch.setattr(site.fake, "resolve", resolve_while_it_is_saved)
    result = site.add("two.example.com")
    assert result.code is ExitCode.HOST
    assert [(error.where, error.hint) for error in result.errors] == [("docker-compose.yml", "run the command again")]
    assert "port: 8001\n" in site.text
    assert "two.example.com" not in site.text
