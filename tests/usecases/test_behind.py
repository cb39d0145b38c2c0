"""A load balancer in front: no certificate is asked for, and the change to it and back is one like any other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stackctl.errors import InputError
from stackctl.model.edge import Front
from stackctl.model.fields import Request
from stackctl.model.values import Domain
from stackctl.plan.certificates import Issue
from stackctl.plan.operations import MakeDummy, VerifyGone, VerifySite
from stackctl.usecases.draining import drain_host
from stackctl.usecases.explain import explain
from stackctl.usecases.init_behind import behind_keys
from stackctl.usecases.status import status
from stackctl.usecases.up_down import down as usecase_down
from tests.usecases.world import OPTIONS, World, done

ONE = "one.example.com"
BALANCER = "  behind: {tls: terminated, trusted: [10.0.0.0/16], redirect: true, health: /healthz}\n"
FRAMED = "  behind: {trusted: [10.0.0.0/16], client-ip: proxy-protocol}\n"


def put(world: World, block: str) -> None:
    world.edit("\nx-stackctl:\n", f"\nx-stackctl:\n{block}")


def plain(world: World) -> str:
    return world.live()[f"sites/{ONE}.conf"].decode()


def test_there_and_back_keeps_the_certificate(site: World) -> None:
    before, live = site.text, site.live()
    put(site, BALANCER)
    there = done(site.up())
    assert not [one for one in there.plan.operations if isinstance(one, (Issue, MakeDummy, VerifySite, VerifyGone))]
    assert "ssl_certificate" not in plain(site)
    assert f"sites/{ONE}.redirect" not in site.live()
    assert not site.up().plan
    assert site.served() == {ONE: "http"}
    site.file.write_text(before)
    back = done(site.up())
    assert not [one for one in back.plan.operations if isinstance(one, Issue)]
    assert site.live() == live
    assert site.served() == {ONE: "real"}


def test_a_new_site_asks_no_ca(stack: World) -> None:
    put(stack, BALANCER)
    done(stack.up())
    done(stack.add(ONE))
    assert stack.fake.ca.issued == []
    assert "listen 80;" in plain(stack)
    assert not stack.up().plan
    checks = stack.doctor()
    assert {verdict for found in checks.values() for verdict in found.values()} == {"ok"}
    assert not [name for name in checks["certificates"] if name.startswith("cert-")]


def test_init_writes_what_a_balancer_needs(world: World) -> None:
    result = done(world.init(replace(OPTIONS, behind=behind_keys(Front.ALB, ["10.0.0.0/16"]))))
    assert (
        '  behind:\n    tls: "terminated"\n    redirect: true\n    health: "/healthz"\n    trusted: ["10.0.0.0/16"]\n'
    ) in world.text.replace("terminated\n", '"terminated"\n')
    assert '"443:443"' not in world.text
    assert not result.notes
    done(world.add(ONE))
    assert world.served() == {ONE: "http"}
    assert not world.init(replace(OPTIONS, behind=behind_keys(Front.ALB, ["10.0.0.0/16"]))).plan


def test_init_adds_it_to_a_stack_that_is_there(site: World) -> None:
    done(site.init(replace(OPTIONS, behind=behind_keys(Front.NLB, ["10.0.0.0/16"]))))
    assert "listen 80 proxy_protocol;" in plain(site) or "listen 80" not in plain(site)
    with pytest.raises(InputError, match="behind is already set") as caught:
        site.init(replace(OPTIONS, behind=behind_keys(Front.ALB, ["10.0.0.0/16"])))
    assert 'not {tls: "terminated", redirect: true,' in caught.value.message


@pytest.mark.parametrize(
    ("front", "trusted", "words"),
    [
        (Front.ALB, [], "the networks of the ALB are needed"),
        (Front.NLB, [], "the networks of the NLB are needed"),
        (Front.NLB, ["0.0.0.0/0"], "contains clients"),
        (None, ["10.0.0.0/8"], "only where something is in front"),
    ],
)
def test_init_trusts_nobody_by_itself(front: Front | None, trusted: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        behind_keys(front, trusted)
    assert behind_keys(None, []) is None
    assert behind_keys(Front.CLOUDFLARE, ["10.0.0.0/16"]) == {
        "client-ip": "cf-connecting-ip",
        "trusted": ["cloudflare", "10.0.0.0/16"],
    }


def test_over_https_a_balancer_sees_a_certificate_of_nobody(two: World) -> None:
    put(two, "  behind: {trusted: [10.0.0.0/16], health: /healthz}\n")
    done(two.up())
    main = two.live()["nginx.conf"].decode()
    assert "pairs/stored/stackctl.invalid/fullchain.pem;" in main
    assert "ssl_reject_handshake" not in main
    assert not two.up().plan
    done(two.remove("two.example.com"))
    assert not two.up().plan
    two.edit(", health: /healthz", "")
    done(two.up())
    assert "ssl_reject_handshake on;" in two.live()["nginx.conf"].decode()


def test_explain_says_whose_address_counts(site: World) -> None:
    put(site, BALANCER)
    done(site.up())
    report = explain(site.host, Domain(ONE), Request("GET", "/")).payload
    hops = {str(hop.kind): hop for hop in report.hops}
    assert list(hops)[:3] == ["name", "port", "client"]
    assert "certificate" not in hops
    assert "port 80" not in hops
    assert hops["client"].text == (
        "the address is that of the connection; that in X-Forwarded-For if it comes from 10.0.0.0/16;"
        " TLS ends in front of the proxy"
    )
    assert hops["client"].where == site.line_of("behind:")
    assert report.whole


def file_of(world: World) -> bool:
    return (world.root / "nginx" / "draining").exists()


def test_a_host_in_maintenance_stays_so_until_it_is_over(site: World) -> None:
    put(site, BALANCER)
    done(site.up())
    planned = drain_host(site.host, drained=True, dry_run=True)
    assert (planned.changed, file_of(site)) == (False, False)
    assert done(drain_host(site.host, drained=True)).notes == (
        "/healthz answers 503: this host takes no more requests",
    )
    assert not done(drain_host(site.host, drained=True)).changed
    assert done(site.up()).plan.operations == ()
    assert status(site.host).payload.drained
    assert done(drain_host(site.host, drained=False)).notes == ("/healthz answers 200: this host takes requests",)
    assert not status(site.host).payload.drained


def test_down_lets_the_balancer_take_the_host_out_first(site: World, monkeypatch: pytest.MonkeyPatch) -> None:
    put(site, BALANCER)
    done(site.up())
    seen: list[bool] = []
    down = site.fake.down

    def noted() -> None:
        seen.append(file_of(site))
        down()

    monkeypatch.setattr(site.fake, "down", noted)
    assert done(usecase_down(site.host, drain=0.0)).payload.stopped
    assert seen == [True]
    assert not file_of(site), "the next 'up' takes requests again"


def test_an_interrupted_drain_takes_requests_again(site: World, monkeypatch: pytest.MonkeyPatch) -> None:
    put(site, BALANCER)
    done(site.up())

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(site.fake, "down", interrupted)
    with pytest.raises(KeyboardInterrupt):
        usecase_down(site.host, drain=0.0)
    assert not file_of(site)


def test_nothing_is_drained_where_no_balancer_asks(site: World) -> None:
    for act in (lambda: usecase_down(site.host, drain=1.0), lambda: drain_host(site.host, drained=True)):
        with pytest.raises(InputError, match="no load balancer asks this host"):
            act()
    assert status(site.host).payload.proxy == "running"


def test_connections_with_the_proxy_protocol(site: World) -> None:
    put(site, FRAMED)
    done(site.up())
    assert "listen 443 ssl proxy_protocol;" in site.live()["snippets/https.conf"].decode()
    assert not site.up().plan
