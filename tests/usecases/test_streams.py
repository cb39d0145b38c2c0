"""Streams: their ports are published with them, and one that cannot work costs nothing else."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import replace
from pathlib import Path

import pytest

from stackctl.adapters.fakes.nginx import FakeNginx
from stackctl.adapters.fakes.proxy import OnHost
from stackctl.errors import HostError, InputError, StackctlError, StackfileError
from stackctl.model.endpoints import Endpoint
from stackctl.model.fields import Request
from stackctl.model.streams import stream_port
from stackctl.model.values import Domain
from stackctl.observed.containers import Output
from stackctl.stackfile.stream_ports import NOTE
from stackctl.usecases.edit_streams import AddStream, add_stream, remove_stream
from stackctl.usecases.explain import explain
from stackctl.usecases.result import Result
from stackctl.usecases.status import status
from tests.usecases.world import World, data, done, told

DB = AddStream(stream_port("5432"), Endpoint("db", 5432), (ipaddress.ip_network("192.0.2.0/24"),))
MAIL = AddStream(Domain("mail.example.com"), Endpoint("mail", 443))


def add(world: World, wanted: AddStream = DB, *, dry_run: bool = False) -> Result[None]:
    return add_stream(world.host, wanted, dry_run=dry_run)


def remove(world: World, text: str) -> Result[None]:
    return remove_stream(world.host, text)


def kinds(result: Result[None]) -> list[str]:
    return [kind for kind, *_ in told(result.plan.operations)]


def refused(world: World, wanted: AddStream = DB) -> StackctlError:
    before = world.tree()
    with pytest.raises(StackctlError) as caught:
        add(world, wanted)
    assert world.tree() == before
    return caught.value


def test_a_port_of_a_stream_is_that_at_its_address(stack: World) -> None:
    done(add(stack, AddStream(stream_port("127.0.0.1:5433"), Endpoint("db", 5432))))
    done(add(stack, AddStream(stream_port("5433/udp"), Endpoint("db", 5432))))
    before = stack.tree()
    for text, problem, hint in (
        ("10.0.0.9:5433", "10.0.0.9:5433 is no stream: there is 127.0.0.1:5433, 5433/udp", "write 127.0.0.1:5433"),
        ("127.0.0.1:5433/udp", "is no stream: there is 5433/udp", "write 5433/udp"),
        ("5433", "5433 means several streams: there is 127.0.0.1:5433, 5433/udp", "write 127.0.0.1:5433"),
    ):
        with pytest.raises(InputError, match=re.escape(problem)) as caught:
            remove(stack, text)
        assert caught.value.hint == hint
    assert stack.tree() == before
    done(remove(stack, "5433/udp"))
    done(remove(stack, "5433"))
    assert "  streams:\n" not in stack.text


def test_a_port_is_published_with_its_stream_and_closed_again(stack: World) -> None:
    before, live = stack.text, stack.live()
    shown = add(stack, dry_run=True)
    assert stack.text == before
    (start,) = [operation for operation in shown.plan.operations if type(operation).__name__ == "StartProxy"]
    assert start.cause == "its definition changed: its ports are closed for about a second"
    done(add(stack))
    assert (
        '  streams:\n    - listen: "5432"\n      upstream: "db:5432"\n      allow:\n        - "192.0.2.0/24"\n'
        in stack.text
    )
    assert f'      - "5432:5432" {NOTE}\n' in stack.text
    assert "streams/5432_tcp.conf" in stack.live()
    assert any(note.startswith("the proxy was replaced: its ports were closed for ") for note in stack.report.notes)
    assert not stack.up().plan
    assert not add(stack).plan
    done(remove(stack, "5432"))
    assert (stack.text, stack.live()) == (before, live)
    assert "5432/tcp is no stream of this stack" in remove(stack, "5432").notes


def test_an_upstream_that_does_not_answer_is_said(stack: World) -> None:
    shown = add(stack, dry_run=True)
    assert [note.partition(",")[0] for note in shown.notes] == ["db:5432 is no service of the Compose file"]
    stack.fake.outside.add(("db", 5432))
    assert done(add(stack)).notes == ()


def test_a_name_needs_no_port_and_no_new_container(site: World) -> None:
    before, live = site.text, site.live()
    result = add(site, MAIL)
    done(result)
    assert "StartProxy" not in kinds(result)
    assert "listen unix:/run/" in site.live()["snippets/https.conf"].decode()
    assert site.live()["streams/mail.example.com.sni"].startswith(b"mail.example.com unix:/run/")
    done(remove(site, "mail.example.com"))
    assert (site.text, site.live()) == (before, live)


def test_several_that_are_written_by_hand_cost_one_gap(stack: World) -> None:
    items = ["{listen: 5432, upstream: 'db:5432'}", "{listen: 5432/udp, upstream: 'db:5432'}"]
    stack.edit("x-stackctl:\n", "x-stackctl:\n  streams:\n" + "".join(f"    - {one}\n" for one in items))
    result = stack.up()
    done(result)
    assert kinds(result).count("StartProxy") == 1
    assert stack.text.count(NOTE) == 2
    stack.edit(f"    - {items[0]}\n", "")
    done(stack.up())
    assert (stack.text.count(NOTE), "streams/5432_tcp.conf" in stack.live()) == (1, False)
    done(stack.rollback())
    assert stack.text.count(NOTE) == 2


def test_a_rejected_stream_is_parked_alone(site: World, monkeypatch: pytest.MonkeyPatch) -> None:
    done(add(site))
    before = site.served()
    test = FakeNginx.test

    def rejecting(self: FakeNginx, folder: Path, shown: str, on_host: OnHost) -> Output:
        if (folder / "streams/5432_tcp.conf").exists():
            return Output(1, f'nginx: [emerg] unknown directive "x" in {shown}/streams/5432_tcp.conf:3\n')
        return test(self, folder, shown, on_host)

    monkeypatch.setattr(FakeNginx, "test", rejecting)
    result = add(site, MAIL)
    assert [error.message for error in result.errors] == [
        '5432/tcp is parked, so that all other sites are served: nginx rejects it: unknown directive "x"'
    ]
    assert "streams/5432_tcp.parked" in site.live()
    assert "streams/mail.example.com.conf" in site.live()
    assert site.served() == before
    monkeypatch.undo()
    done(site.up())
    assert "streams/5432_tcp.conf" in site.live()


def test_a_port_that_somebody_holds_is_named_before_anything_is_written(stack: World) -> None:
    stack.fake.taken[5432] = "postgres (pid 7)"
    error = refused(stack)
    assert isinstance(error, HostError)
    assert error.message == "port 5432 cannot be published: it is in use by postgres (pid 7)"


def test_an_image_without_the_module_is_refused(stack: World) -> None:
    stack.fake.proxy.built = "--with-stream=dynamic"  # type: ignore[attr-defined]
    error = refused(stack)
    assert isinstance(error, StackfileError)
    assert "has no stream module" in error.message


def test_what_has_another_use_is_refused(site: World) -> None:
    name = next(iter(site.served()))
    error = refused(site, AddStream(Domain(name), Endpoint("mail", 443)))
    assert error.message == f"{name} is a site of this stack"
    assert (error.where or "").startswith("docker-compose.yml:")
    own = refused(site, AddStream(stream_port("443"), Endpoint("db", 1)))
    assert (own.where, own.message) == ("LISTEN", "port 443 is the proxy's own, for its sites")
    itself = refused(site, AddStream(stream_port("5000"), Endpoint("nginx", 80)))
    assert (itself.where, "the proxy itself" in itself.message) == ("UPSTREAM", True)
    done(add(site))
    other = refused(site, AddStream(stream_port("127.0.0.1:5432"), Endpoint("other", 1)))
    assert isinstance(other, InputError)
    assert other.message == "5432/tcp is passed on to db:5432 already"


def test_status_doctor_and_explain_know_them(site: World) -> None:
    site.fake.images["db:1"] = (5432,)
    site.edit("\nservices:\n", "\nservices:\n  db:\n    image: db:1\n")
    site.edit("\nx-stackctl:\n", "\nx-stackctl:\n  streams:\n    - {listen: 53/udp, upstream: '10.0.0.9:53'}\n")
    done(site.up())
    done(add(site))
    done(add(site, replace(MAIL, upstream=Endpoint("10.0.0.9", 443))))
    rows = {row["stream"]: row for row in data(status(site.host))["streams"]}
    assert {name: row["health"] for name, row in rows.items()} == {
        "53/udp": "unknown",
        "5432": "running",
        "mail.example.com": "no answer",
    }
    assert rows["5432"]["allow"] == ["192.0.2.0/24"]
    found = site.doctor()["streams"]
    assert (found["app-container"], found["app-port"], found["app-outside"]) == ("ok", "ok", "wrong")
    shown = data(explain(site.host, Domain("mail.example.com"), Request("GET", "/")))
    assert shown["links"][0]["text"].startswith("the connection is passed on to 10.0.0.9:443 as it is")
    assert (shown["whole"], shown["sent"]) == (True, False)


def test_a_network_alias_is_seen_by_the_containers_of_its_service(site: World) -> None:
    site.edit(
        '    image: "one:latest"\n', '    image: "one:latest"\n    networks: {default: {aliases: [db.internal]}}\n'
    )
    done(add(site, AddStream(stream_port("5432"), Endpoint("db.internal", 8000))))
    done(site.up())
    (row,) = data(status(site.host))["streams"]
    assert row["health"] == "running"
    found = site.doctor()["streams"]
    assert (found["app-container"], found["app-port"]) == ("ok", "ok")
