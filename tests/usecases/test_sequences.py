"""Any sequence of commands, faults and edits by hand: what was said to be done is done."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from stackctl.errors import InputError
from stackctl.stackfile.document import Document
from stackctl.stackfile.read import read_sites
from stackctl.usecases.result import Result
from tests.usecases.world import World, data, done

NAMES = st.sampled_from(["one.example.com", "two.example.com", "three.example.com", "out.example.com"])
SERVICES = {"one.example.com": "one", "two.example.com": "two", "three.example.com": "three"}


class Stack(RuleBasedStateMachine):
    """A stack that people, faults and time work on."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.world = World(Path(self.folder.name) / "stack")
        self.world.fake.outside.add(("10.0.0.5", 80))
        done(self.world.init())
        self.settled = True
        self.routed = {"one.example.com"}
        done(self.world.add("one.example.com"))

    def teardown(self) -> None:
        self.folder.cleanup()

    def took(self, result: Result[object], *, whole: bool = False) -> None:
        """A command has ended: with errors, something is left to do."""
        self.settled = not result.errors and (self.settled or whole)

    @rule(name=NAMES, alias=st.booleans(), issue=st.sampled_from([True, True, True, False]))
    def add(self, name: str, alias: bool, issue: bool) -> None:
        aliases = [f"www.{name}"] if alias else []
        upstream = None if name in SERVICES else "10.0.0.5:80"
        try:
            result = self.world.add(name, *aliases, upstream=upstream, issue=issue)
        except InputError:
            # It is there with other aliases; a name that is not there can be added.
            if name not in self.routed:
                raise
            return
        self.routed.add(name)
        self.took(result)
        self.settled = self.settled and (issue or not result.plan)

    @rule(name=NAMES, delete_cert=st.booleans())
    def remove(self, name: str, delete_cert: bool) -> None:
        self.routed.discard(name)
        self.took(self.world.remove(name, delete_cert=delete_cert))

    @rule()
    def rollback(self) -> None:
        try:
            result = self.world.rollback()
        except InputError:
            assert len(self.world.host.directory.history.entries()) < 3
            return
        self.routed = {site.name for site in read_sites(Document.parse(self.world.text, "docker-compose.yml"))}
        self.took(result, whole=True)

    @rule()
    def up(self) -> None:
        result = self.world.up()
        self.took(result, whole=True)
        if not result.errors:
            assert set(self.world.served().values()) <= {"real"}

    @rule()
    def init(self) -> None:
        self.took(self.world.init(), whole=True)

    @rule()
    def renew(self) -> None:
        result = self.world.renew()
        assert not any(row["status"] == "renewed" and row["days_left"] < 89 for row in data(result)["apps"])
        self.took(result)

    @rule()
    def down(self) -> None:
        done(self.world.down())
        self.settled = False

    @rule(days=st.sampled_from([1, 40, 70, 100]))
    def time_goes_by(self, days: int) -> None:
        self.world.clock.now += timedelta(days=days)

    @precondition(lambda self: "one" in self.world.text)
    @rule(size=st.sampled_from(["1m", "2g"]))
    def edit(self, size: str) -> None:
        text = self.world.text.replace("  body-size: 1m\n", "").replace("  body-size: 2g\n", "")
        self.world.file.write_text(text.replace("x-stackctl:\n", f"x-stackctl:\n  body-size: {size}\n", 1))
        self.settled = False

    @rule(name=NAMES, text=st.sampled_from(["add_header X-A 1;\n", "not_a_directive on;\n", ""]))
    def snippet(self, name: str, text: str) -> None:
        self.world.custom(f"{name}.conf", text)
        self.settled = False

    @rule(name=NAMES)
    def add_as_most_people_do(self, name: str) -> None:
        self.add(name, False, True)

    @rule(name=NAMES, on=st.booleans())
    def the_ca_refuses(self, name: str, on: bool) -> None:
        self.world.fake.faults.issue = {name: "dns"} if on else {}

    @rule(service=st.sampled_from(["one", "two"]), on=st.booleans())
    def an_app_is_silent(self, service: str, on: bool) -> None:
        self.world.fake.faults.silent = {service} if on else set()

    @rule(service=st.sampled_from(["one", "nginx", "certbot"]))
    def a_container_is_removed(self, service: str) -> None:
        fake = self.world.fake
        fake.remove([number for number, run in fake.runs.items() if run.service.name == service])
        self.settled = False

    @rule(name=NAMES)
    def a_lineage_is_lost(self, name: str) -> None:
        key = self.world.root / "data/certbot/conf/live" / name / "privkey.pem"
        key.unlink(missing_ok=True)
        self.settled = False

    @invariant()
    def after_success_nothing_is_left_to_do(self) -> None:
        if self.settled:
            assert str(self.world.up(dry_run=True).plan) == ""

    @invariant()
    def what_is_on_disk_would_start(self) -> None:
        lost = any(lineage.problem for lineage in self.world.host.directory.lineages().values())
        assert lost or self.world.fake.proxy_test("live").code == 0

    @invariant()
    def nothing_is_served_that_is_not_routed(self) -> None:
        if self.settled:
            names = {name.removeprefix("www.") for name in self.world.fake.loaded}
            assert names == self.routed


@pytest.mark.slow
def test_any_sequence_of_commands() -> None:
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        Stack,
        settings=settings(
            max_examples=15,
            stateful_step_count=15,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=checks,
        ),
    )
