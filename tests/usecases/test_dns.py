"""Names that are proved by DNS-01: wildcards, the zones of x-stackctl, and the sites under a wildcard."""

from __future__ import annotations

import json

import pytest

from stackctl.certs.request import certonly
from stackctl.engine.backup.selection import select
from stackctl.errors import ExitCode, InputError, StackfileError
from stackctl.model.acme import Acme
from stackctl.model.fields import Request
from stackctl.model.values import Domain
from stackctl.plan.certificates import AlignSettings, CheckNames, Issue, RefuseIssue
from stackctl.usecases.cert import retire
from stackctl.usecases.dns import AddZone, add_zone, check_zones, list_zones, remove_zone
from stackctl.usecases.explain import explain
from stackctl.usecases.status import status
from tests.usecases.world import World, done

WILD, APEX, ONE, TWO, OTHER = "*.example.com", "example.com", "one.example.com", "two.example.com", "www.example.net"
LINEAGE = "_wildcard.example.com"
DNS = """\
  dns:
    example.com:
      provider: rfc2136
"""


@pytest.fixture
def zoned(stack: World) -> World:
    """A stack that may write the records of example.com."""
    stack.fake.outside.add(("10.0.0.5", 80))
    stack.edit("x-stackctl:\n", f"x-stackctl:\n{DNS}")
    return stack


def app(world: World, *names: str, **keys: str) -> None:
    """Add a site outside Compose, with further keys."""
    lines = [f"    - domains: [{', '.join(json.dumps(name) for name in names)}]", "      upstream: 10.0.0.5:80"]
    lines += [f"      {key}: {value}" for key, value in keys.items()]
    text = "\n".join(lines) + "\n"
    if "  apps:\n" in world.text:
        world.edit("  apps:\n", f"  apps:\n{text}")
    else:
        world.edit("x-stackctl:\n", f"x-stackctl:\n  apps:\n{text}")


def requests(world: World, *, dry_run: bool = True) -> list[Issue]:
    return [one for one in world.up(dry_run=dry_run).plan.operations if isinstance(one, Issue)]


def test_a_wildcard_is_requested_over_dns_and_port_80_is_not_asked(zoned: World) -> None:
    app(zoned, WILD, APEX)
    result = zoned.up(dry_run=True)
    (check,) = [one for one in result.plan.operations if isinstance(one, CheckNames)]
    assert check.text == "write, see and delete a test record for *.example.com, example.com"
    (issue,) = [one for one in result.plan.operations if isinstance(one, Issue)]
    assert (issue.source, issue.request.names, issue.request.lineage) == ("dns", (WILD, APEX), LINEAGE)
    argv = certonly(issue.request, Acme())
    assert argv[argv.index("--authenticator") + 1] == "dns-stackctl"
    assert "--webroot" not in argv
    done(zoned.up())
    assert zoned.served() == {WILD: "real"}
    assert zoned.fake.ca.issued == [(WILD, APEX)]
    assert not zoned.up().plan
    assert f"sites/{LINEAGE}.conf" in zoned.live()


def test_its_plugin_and_its_zones_are_files_of_the_stack_and_hold_no_credentials(zoned: World) -> None:
    app(zoned, WILD)
    done(zoned.up())
    plugin = zoned.root / "data/dns/plugin"
    assert (plugin / "stackctl_dns/plugin.py").is_file()
    (points,) = plugin.glob("*.dist-info/entry_points.txt")
    assert "dns-stackctl = stackctl_dns.plugin:Authenticator" in points.read_text()
    assert not any("stackctl.certs.dns01" in path.read_text() for path in plugin.glob("stackctl_dns/*.py"))
    zones = json.loads((zoned.root / "data/dns/zones.json").read_text())
    assert zones["example.com"]["credentials"] == "/etc/stackctl/dns/example.com.ini"
    assert (zoned.root / "data/dns").stat().st_mode & 0o777 == 0o700
    certbot = zoned.host.directory.stackfile() or ""
    assert "./data/dns:/etc/stackctl/dns:ro" in certbot
    assert 'PYTHONPATH: "/etc/stackctl/dns/plugin"' in certbot


def test_a_changed_zone_costs_no_certificate(zoned: World) -> None:
    app(zoned, WILD)
    done(zoned.up())
    zoned.edit("provider: rfc2136", "provider: cloudflare")
    texts = [one.text for one in done(zoned.up()).plan.operations]
    assert texts == ["write data/dns/zones.json"]
    assert len(zoned.fake.ca.issued) == 1


def test_sites_under_a_wildcard_use_its_certificate(zoned: World) -> None:
    app(zoned, WILD)
    app(zoned, ONE)
    app(zoned, TWO, OTHER)
    wild, own = sorted(requests(zoned), key=lambda one: one.source, reverse=True)
    assert (wild.request.names, set(wild.scopes)) == ((WILD,), {WILD, ONE})
    assert wild.text == "issue a certificate for *.example.com, which one.example.com uses too"
    assert (own.request.names, own.source) == ((TWO, OTHER), "acme")
    done(zoned.up())
    assert zoned.served() == {WILD: "real", ONE: "real", TWO: "real"}
    assert zoned.fake.ca.issued in ([(WILD,), (TWO, OTHER)], [(TWO, OTHER), (WILD,)])
    assert not zoned.up().plan


def test_an_exact_site_is_added_and_removed_under_a_wildcard_without_an_order(zoned: World) -> None:
    app(zoned, WILD)
    done(zoned.up())
    done(zoned.add(ONE, upstream="10.0.0.5:80"))
    assert zoned.served() == {WILD: "real", ONE: "real"}
    done(zoned.remove(ONE))
    assert zoned.served() == {WILD: "real"}
    assert len(zoned.fake.ca.issued) == 1


def test_a_record_that_cannot_be_written_stops_the_order_of_its_site_alone(zoned: World) -> None:
    app(zoned, WILD)
    app(zoned, OTHER)
    zoned.fake.faults.records[APEX] = "the token may not edit the zone example.com"
    result = zoned.up()
    assert result.code is ExitCode.ISSUE_FAILED
    (error,) = result.errors
    assert str(error) == "*.example.com: not requested: the token may not edit the zone example.com"
    assert error.hint == "correct it; 'stackctl dns test example.com' repeats the check"
    assert zoned.fake.ca.issued == [(OTHER,)]
    zoned.fake.faults.records.clear()
    done(zoned.up())
    assert zoned.served() == {WILD: "real", OTHER: "real"}


def test_its_certificate_is_called_by_the_name_that_the_user_wrote(zoned: World) -> None:
    app(zoned, WILD)
    done(zoned.up())
    texts = [one.text for one in zoned.up(dry_run=True).plan.operations]
    zoned.fake.faults.issue[WILD] = "dns"
    failed = zoned.renew(WILD).errors
    zoned.file.write_text(zoned.text.replace(f"- domains: [{json.dumps(WILD)}]", "- domains: [www.example.net]"))
    zoned.fake.faults.issue.clear()
    done(zoned.up())
    (unused,) = status(zoned.host).payload.unused
    result = retire(zoned.host, WILD, dry_run=True)
    texts += [one.text for one in result.plan.operations] + [str(one) for one in failed]
    assert unused == LINEAGE
    assert failed
    assert f"delete the certificate {WILD} from certbot's tree" in texts
    assert not [text for text in texts if LINEAGE in text]


def test_a_wildcard_without_a_zone_is_refused_for_its_site_alone(stack: World) -> None:
    stack.fake.outside.add(("10.0.0.5", 80))
    app(stack, WILD)
    app(stack, OTHER)
    result = stack.up()
    (refused,) = [one for one in result.plan.operations if isinstance(one, RefuseIssue)]
    assert refused.request.names == (WILD,)
    (error,) = result.errors
    assert "add it with 'stackctl dns add ZONE'" in (error.hint or "")
    assert stack.fake.ca.issued == [(OTHER,)]


def test_a_site_can_ask_for_dns_and_change_its_mind_without_an_order(zoned: World) -> None:
    app(zoned, ONE)
    done(zoned.up())
    renewal = zoned.root / f"data/certbot/conf/renewal/{ONE}.conf"
    assert "authenticator = webroot" in renewal.read_text()
    zoned.edit(f'    - domains: ["{ONE}"]\n', f'    - domains: ["{ONE}"]\n      challenge: dns\n')
    result = done(zoned.up())
    assert any(isinstance(one, AlignSettings) for one in result.plan.operations)
    text = renewal.read_text()
    assert "authenticator = dns-stackctl" in text
    assert "webroot" not in text
    zoned.edit("      challenge: dns\n", "")
    done(zoned.up())
    assert "authenticator = webroot" in renewal.read_text()
    assert "dns-stackctl" not in renewal.read_text()
    assert len(zoned.fake.ca.issued) == 1
    assert not zoned.up().plan


def test_it_is_renewed_by_dns_when_it_is_due_or_forced(zoned: World) -> None:
    app(zoned, WILD)
    done(zoned.up())
    result = done(zoned.renew(WILD))
    (issue,) = [one for one in result.plan.operations if isinstance(one, Issue)]
    assert (issue.request.dns, issue.request.own_way, issue.request.force) == (True, False, True)
    assert zoned.fake.ca.issued == [(WILD,), (WILD,)]


def test_nginx_takes_one_label_below_the_wildcard_and_no_pattern_is_a_file(zoned: World) -> None:
    app(zoned, WILD)
    zoned.custom(f"{LINEAGE}.conf", "add_header X-Wild yes;\n")
    done(zoned.up())
    text = zoned.live()[f"sites/{LINEAGE}.conf"].decode()
    assert "server_name *.example.com;" in text
    assert r'"^([^.]+\.example\.com)\Z"' in text
    assert f"include sites/{LINEAGE}.custom;" in text
    assert not [path for path in zoned.tree() if "*" in path]


def test_a_request_below_a_wildcard_is_explained_by_its_site(zoned: World) -> None:
    app(zoned, WILD)
    done(zoned.up())
    for name, hops in ((Domain(ONE), True), (Domain("deep.one.example.net"), False)):
        report = explain(zoned.host, name, Request("GET", "/")).payload
        assert (WILD in str(report)) is hops


def test_doctor_looks_at_the_records_and_not_at_port_80(zoned: World) -> None:
    app(zoned, WILD, APEX)
    done(zoned.up())
    found = zoned.doctor()
    checks = found[WILD]
    assert checks["dns-zone"] == "ok"
    assert "reach" not in checks
    assert found["certificates"]["cert-renewal"] == "ok"
    zoned.fake.faults.records[APEX] = "the token may not edit the zone example.com"
    assert zoned.doctor()[WILD]["dns-write"] == "wrong"


# The commands


def test_a_zone_is_added_with_its_credentials_and_removed_with_them(stack: World) -> None:
    wanted = AddZone(Domain(APEX), "cloudflare", propagation="10m")
    result = done(add_zone(stack.host, wanted, b"dns_cloudflare_api_token = secret\n"))
    assert any("stackctl dns test example.com" in note for note in result.notes)
    file = stack.root / "data/dns/example.com.ini"
    assert file.stat().st_mode & 0o777 == 0o600
    assert "secret" not in "".join(f"{one}{one!r}" for one in result.plan.operations)
    assert "secret" not in stack.text
    assert "./data/dns:/etc/stackctl/dns:ro" in stack.text
    (row,) = list_zones(stack.host).payload.zones
    assert (row.zone, row.provider, row.stored, row.sites) == (APEX, "cloudflare", True, ())
    done(add_zone(stack.host, AddZone(Domain(APEX), "rfc2136"), None))
    assert 'provider: "rfc2136"' in stack.text
    assert file.read_text() == "dns_cloudflare_api_token = secret\n"
    done(remove_zone(stack.host, Domain(APEX)))
    assert not file.exists()
    assert "dns:" not in stack.text.partition("services:")[0]
    assert list_zones(stack.host).payload.zones == ()


def test_a_zone_that_proves_a_site_is_not_removed(zoned: World) -> None:
    app(zoned, WILD)
    with pytest.raises(InputError, match=r"the names of \*\.example\.com are proved by the zone example\.com"):
        remove_zone(zoned.host, Domain(APEX))


def test_a_wrong_option_names_itself_and_changes_nothing(stack: World) -> None:
    before = stack.tree()
    with pytest.raises(InputError) as caught:
        add_zone(stack.host, AddZone(Domain(APEX), "cloudflare", propagation="soon"), b"x")
    assert caught.value.where == "--propagation"
    with pytest.raises(InputError, match="needs 'auth' and 'cleanup'"):
        add_zone(stack.host, AddZone(Domain(APEX), "hook"), None)
    assert stack.tree() == before


def test_the_test_of_a_zone_is_of_all_names_that_it_proves(zoned: World) -> None:
    app(zoned, WILD, APEX)
    app(zoned, "one.two.example.com", challenge="dns")
    done(zoned.up())
    result = check_zones(zoned.host, [])
    assert {one.name for one in result.payload.findings} == {WILD, "one.two.example.com"}
    assert result.code is ExitCode.OK
    zoned.fake.faults.records["x.example.com"] = "no"
    assert check_zones(zoned.host, [Domain("x.example.com")]).code is ExitCode.FAILED
    with pytest.raises(InputError, match=r"no zone of x-stackctl\.dns has a\.test"):
        check_zones(zoned.host, [Domain("a.test")])


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ("provider: cloudflar", "'cloudflar' is no DNS provider"),
        ("provider: cloudflare\n      credentials: ../token.ini", "is no file in data/dns"),
        ("provider: cloudflare\n      auth: x", "the provider cloudflare has no command"),
        ("provider: cloudflare\n      alias: 'a b'", "'a b' is not a domain"),
        ("provider: cloudflare\n      token: x", "has no key 'token'"),
        ("provider: hook\n      auth: x", "needs 'auth' and 'cleanup'"),
    ],
)
def test_a_wrong_zone_is_refused_with_its_line(stack: World, keys: str, words: str) -> None:
    stack.edit("x-stackctl:\n", f"x-stackctl:\n  dns:\n    example.com:\n      {keys}\n")
    with pytest.raises(StackfileError) as caught:
        stack.up()
    assert words in caught.value.message
    assert (caught.value.where or "").startswith("docker-compose.yml:")


def test_credentials_are_only_in_a_backup_that_is_encrypted(zoned: World) -> None:
    file = zoned.root / "data/dns/example.com.ini"
    done(zoned.up())
    file.write_text("secret")
    plain, sealed = (select(zoned.fake.files, tuple, sealed=one) for one in (False, True))
    assert not [path for path in plain.paths if path.startswith("data/dns")]
    (note,) = plain.notes
    assert note.startswith("data/dns/example.com.ini is not in the archive")
    assert {"data/dns", "data/dns/example.com.ini"} <= sealed.paths
    assert not [path for path in sealed.left_out if "data/dns" in path]
