"""``stackctl metrics``, and what the stack gets so that metrics and alerts come without stackctl."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from stackctl.certs.watch.exposition import FAMILIES
from stackctl.errors import EngineError, StackfileError
from stackctl.model.layout import CERTBOT_MOUNTS, METRICS, RESPONSES, WATCH, WATCH_SETTINGS
from stackctl.usecases.metrics import metrics
from stackctl.usecases.up_down import plan
from tests.docs.pages import ROOT, Page
from tests.usecases.world import World, done

ONE = "one.example.com"


def samples(world: World) -> dict[str, dict[tuple[str, ...], float]]:
    """The values by name and labels, without that of the site."""
    text = metrics(world.host).payload.text
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            assert sample.labels.pop("stack") == "stack"
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


def test_what_is_seen_of_a_stack_that_is_well(site: World) -> None:
    found = samples(site)
    assert found["stackctl_sites"] == {(): 1}
    assert found["stackctl_certificate_on_wire"] == {(ONE,): 1}
    assert found["stackctl_upstream_up"] == {(ONE, "one:8000"): 1}
    (end,) = found["stackctl_certificate_not_after_timestamp_seconds"].items()
    assert end[0] == (ONE, "acme")
    assert found["stackctl_certificate_served_not_after_timestamp_seconds"] == {(ONE,): end[1]}
    assert found["stackctl_certificate_renewal_due_timestamp_seconds"][ONE,] == pytest.approx(
        end[1] - 30 * 86400, abs=3700
    )
    ((live, served),) = found["stackctl_generation_info"]
    assert live == served != ""
    assert found["stackctl_ca_orders_recorded"] == {("letsencrypt", "issued"): 1, ("letsencrypt", "failed"): 0}
    assert found["stackctl_ca_orders_left"]["letsencrypt",] > 100
    assert found["stackctl_changes_recorded"]["change",] >= 1


def test_what_is_seen_of_one_that_is_not(site: World) -> None:
    site.fake.runs = {number: run for number, run in site.fake.runs.items() if run.service.name != "one"}
    found = samples(site)
    assert found["stackctl_upstream_up"] == {(ONE, "one:8000"): 0}
    site.fake.runs = {}
    found = samples(site)
    assert "stackctl_certificate_on_wire" not in found, "where the proxy does not run, nothing is known of the wire"
    assert ("", "") not in found["stackctl_generation_info"]


def test_every_metric_is_documented_as_it_is_described(site: World) -> None:
    rows = {row[0]: row for row in Page(ROOT / "docs/how-to/prometheus.md").table("The metrics")}
    assert list(rows) == [family.name for family in FAMILIES]
    for family in FAMILIES:
        assert rows[family.name][1].replace("`", "") == ", ".join(family.labels)
        assert rows[family.name][2].startswith(family.help), family.name
    assert set(samples(site)) <= set(rows)


ALERTS = """\
  alerts:
    to: [https://hook.example.com/secret-one, "ntfys://tok%65n@ntfy.example.com/shop"]
    ping: https://ping.example.com/secret-two
"""


def test_receivers_reach_the_container_and_nothing_that_is_printed(site: World) -> None:
    site.edit("\nx-stackctl:\n", f"\nx-stackctl:\n{ALERTS}")
    planned = site.up(dry_run=True)
    assert [operation.text for operation in planned.plan.operations] == [f"write {WATCH_SETTINGS.path}"]
    assert "secret" not in repr(planned)
    assert "ntfys://…" in repr(plan(site.host).edited)
    assert "secret" not in repr(plan(site.host))
    done(site.up())
    file = site.root / WATCH_SETTINGS.path
    assert file.stat().st_mode & 0o777 == 0o600
    assert (site.root / WATCH.path).stat().st_mode & 0o777 == 0o700
    settings = json.loads(file.read_text())
    assert [one["label"] for one in settings["receivers"]] == ["https://hook.example.com", "ntfys://ntfy.example.com"]
    assert settings["receivers"][1]["password"] == "token"
    assert not site.up(dry_run=True).plan


def test_settings_follow_the_sites(site: World) -> None:
    done(site.add("two.example.com"))
    assert [one["name"] for one in json.loads((site.root / WATCH_SETTINGS.path).read_text())["sites"]] == [
        ONE,
        "two.example.com",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("alerts: {}", "'alerts' has neither"),
        ('alerts: {to: ["secret"]}', "this is not the URL of a receiver of alerts"),
        ('alerts: {to: ["https://a.example/se cret"]}', "this is not the URL"),
        ('alerts: {to: ["https://a.example/secret\\r\\nX: y"]}', "this is not the URL"),
        ('alerts: {to: ["https://secret:secret@/"]}', "this is not the URL"),
        ('alerts: {to: ["https://secret%0d%0aX@a.example/"]}', "a character that is not printable"),
        ('alerts: {to: ["https://a.example:99999/secret"]}', "this is not the URL"),
        ('alerts: {to: ["file:///etc/secret"]}', "alerts are not written to files"),
        ('alerts: {to: ["ntfys://secret"]}', "this names no topic of ntfy"),
        ('alerts: {to: ["ntfys://ntfy.sh/a/secret"]}', "this names no topic of ntfy"),
        ('alerts: {to: ["smtp://u:secret@mail.example.com"]}', "an e-mail needs the addresses"),
        ('alerts: {to: ["smtp://secret@m.example?from=a@b.example&to=c@d.example"]}', "a mail server wants a user"),
        ('alerts: {to: ["smtp://m.example?from=a@b.example&to=secret"]}', "no e-mail address"),
        ('alerts: {to: ["https://a.example/x", "https://a.example/x"]}', "this receiver is named twice"),
        ('alerts: {ping: "https://a.example/?secret=1"}', "this is not a URL to ping"),
        ('alerts: {ping: "smtp://a.example"}', "this is not a URL to ping"),
        ('alerts: {to: ["https://a.example/${secret"]}', "the URL of a receiver"),
    ],
)
def test_a_wrong_receiver_is_refused_without_quoting_it(site: World, text: str, message: str) -> None:
    site.edit("\nx-stackctl:\n", f"\nx-stackctl:\n  {text}\n")
    with pytest.raises(StackfileError) as refused:
        site.up(dry_run=True)
    assert message in refused.value.message
    assert "secret" not in f"{refused.value} {refused.value.hint}"
    assert (refused.value.where or "").startswith("docker-compose.yml:")


def test_a_stack_of_an_earlier_version_gets_all_of_it_by_its_certbot_container_alone(
    site: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr("stackctl.stackfile.services.CERTBOT_MOUNTS", CERTBOT_MOUNTS[:3])
        done(site.up())
    for folder in (METRICS, WATCH):
        shutil.rmtree(site.root / folder.path)
    assert [operation.text for operation in done(site.up()).plan.operations] == [
        "create data/metrics, data/watch",
        "write the program for metrics and alerts data/watch",
        "write docker-compose.yml",
        "start service certbot",
    ]
    assert "./data/metrics:/var/lib/stackctl-metrics" in site.text


# Responses

LINE = '192.0.2.1 - - [{at:%d/%b/%Y:%H:%M:%S} +0000] {host} "GET /x HTTP/1.1" {status} 12 "-" "curl" 0.100 - {id}'


def answered(world: World, *rows: tuple[int, str, int]) -> None:
    """What the proxy has logged: how many seconds ago, for which host, with which status."""
    world.fake.printed["nginx"] = [
        LINE.format(at=world.clock.now - timedelta(seconds=ago), host=host, status=status, id="0" * 32)
        for ago, host, status in rows
    ]


def counts(world: World) -> dict[tuple[str, ...], float]:
    return samples(world).get("stackctl_site_responses_total", {})


def test_responses_are_counted_once_by_site_and_class(site: World) -> None:
    answered(site, (20, ONE, 200))
    assert counts(site) == {}, "it begins when it is first asked"
    site.clock.now += timedelta(seconds=30)
    answered(site, (50, ONE, 200), (20, ONE, 200), (10, ONE, 204), (9, ONE, 502), (1, ONE, 200))
    first = {(ONE, "2xx"): 2, (ONE, "5xx"): 1}
    assert counts(site) == counts(site) == first
    site.clock.now += timedelta(seconds=30)
    answered(site, (40, ONE, 204), (31, ONE, 200))
    assert counts(site) == {**first, (ONE, "2xx"): 3}, "the one that was too new before"


def test_names_that_no_site_has_are_no_labels(site: World) -> None:
    counts(site)
    site.clock.now += timedelta(seconds=30)
    answered(site, *((10, f"{n}.attacker.example", 400) for n in range(20)), (10, ONE, 0))
    assert counts(site) == {}


@pytest.mark.parametrize("text", ["", "{", '{"until": "x", "counts": []}', '{"until": 1e99, "counts": [[1]]}'])
def test_counts_that_cannot_be_read_begin_again(site: World, text: str) -> None:
    counts(site)
    (site.root / RESPONSES).write_text(text)
    assert counts(site) == {}
    site.clock.now += timedelta(seconds=30)
    answered(site, (10, ONE, 301))
    assert counts(site) == {(ONE, "3xx"): 1}


def test_a_log_that_cannot_be_read_costs_no_other_metric(site: World, monkeypatch: pytest.MonkeyPatch) -> None:
    counts(site)
    site.clock.now += timedelta(seconds=30)
    answered(site, (10, ONE, 200))
    with monkeypatch.context() as broken:

        def follow(*_: object, **__: object) -> None:
            raise EngineError("no log")

        broken.setattr(type(site.fake), "follow", follow)
        assert samples(site)["stackctl_sites"] == {(): 1}
    assert counts(site) == {(ONE, "2xx"): 1}
