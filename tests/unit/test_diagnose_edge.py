"""What doctor says of a load balancer in front, and of what this host's own programs keep from the proxy."""

from __future__ import annotations

from datetime import date, timedelta
from ipaddress import ip_network

import pytest

from stackctl.diagnose.check import Check
from stackctl.diagnose.edge import EdgeFacts, judge_edge
from stackctl.diagnose.firewall import SystemFacts, judge_system
from stackctl.model.edge import Behind, health_path
from stackctl.model.published import LISTS
from stackctl.proxies.nginx.log import misspoken
from stackctl.proxies.trace import Misspoken

TODAY = date(2026, 11, 27)
CLOUDFLARE = LISTS["cloudflare"]
CDN = Behind(CLOUDFLARE.networks, ("cloudflare",))
ALB = Behind((ip_network("10.0.0.0/16"),), terminated=True, health=health_path("/healthz"))

LOG = r"""
10.0.1.23 - - [27/Nov/2026:16:19:18 +0000] _ "\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03\x93\xF7\x18\x16B" 400 150 "-" "-" 0.004 -
10.0.1.24 - - [27/Nov/2026:16:19:18 +0000] a.example.com "GET / HTTP/1.1" 400 248 "-" "-" 0.000 -
10.0.1.23 - - [27/Nov/2026:16:19:18 +0000] _ "PROXY TCP4 192.0.2.7 127.0.0.1 4711 443" 400 150 "-" "-" 0.000 -
10.0.1.23 - - [27/Nov/2026:16:19:18 +0000] _ "\x00" 400 150 "-" "-" 0.000 -
203.0.113.9 - - [27/Nov/2026:16:19:18 +0000] _ "\x16\x03\x01" 400 150 "-" "-" 0.004 -
10.0.1.25 - - [27/Nov/2026:16:19:18 +0000] a.example.com "GET / HTTP/1.1" 400 1203 "-" "-" 0.000 10.1.1.1:80
2026/11/27 16:19:18 [error] 6#6: *7 broken header: "GET / HTTP/1.1" while reading PROXY protocol, client: 10.0.1.26, server: 0.0.0.0:80
"""  # noqa: E501  (as nginx 1.30 logs it)


def shown(checks: list[Check]) -> dict[str, str]:
    return {check.name: f"{check.verdict} {check.text}" for check in checks}


def test_a_log_shows_who_speaks_another_protocol() -> None:
    assert misspoken(LOG) == {
        ("10.0.1.23", Misspoken.TLS_TO_HTTP): 1,
        ("10.0.1.24", Misspoken.HTTP_TO_HTTPS): 1,
        ("10.0.1.23", Misspoken.PROXY_UNEXPECTED): 2,
        ("203.0.113.9", Misspoken.TLS_TO_HTTP): 1,
        ("10.0.1.26", Misspoken.PROXY_MISSING): 1,
    }


def test_only_a_trusted_peer_that_speaks_another_protocol_is_a_load_balancer() -> None:
    found = [check for check in judge_edge(EdgeFacts(ALB, TODAY, misspoken=misspoken(LOG), health=200)) if check.todo]
    assert [(check.name, check.text) for check in found] == [
        (
            "balancer-protocol",
            f"the load balancer at {peer} {what}: {times} times in the last lines of the log",
        )
        for peer, what, times in (
            ("10.0.1.23", "sends TLS to the port for plain HTTP", 1),
            ("10.0.1.24", "sends plain HTTP to the port for HTTPS", 1),
            ("10.0.1.23", "sends the PROXY protocol, which is not expected", 2),
            ("10.0.1.26", "sends no PROXY protocol, which 'client-ip' expects", 1),
        )
    ]
    strangers = {("203.0.113.9", Misspoken.TLS_TO_HTTP): 90}
    assert (
        "ok no trusted peer"
        in shown(judge_edge(EdgeFacts(ALB, TODAY, misspoken=strangers, health=200)))["balancer-protocol"]
    )


@pytest.mark.parametrize(
    ("facts", "name", "words"),
    [
        (
            EdgeFacts(None, TODAY, cdns={"a.example.com": "Cloudflare"}),
            "trusted",
            "wrong a.example.com leads to Cloudflare",
        ),
        (EdgeFacts(ALB, TODAY, cdns={"a.example.com": "Cloudflare"}), "trusted", "apps see its addresses"),
        (
            EdgeFacts(None, TODAY, cdns={"a.example.com": "Cloudflare"}, limited=frozenset({"a.example.com"})),
            "trusted",
            "and all clients share one limit of requests",
        ),
        (
            EdgeFacts(CDN, TODAY, cdns={"a.example.com": "Cloudflare"}),
            "trusted",
            "ok a.example.com: requests of Cloudflare",
        ),
        (EdgeFacts(CDN, TODAY), "published-list", "ok the list of Cloudflare's addresses dates from 2026-"),
        (EdgeFacts(CDN, CLOUDFLARE.dated + timedelta(days=366)), "published-list", "wrong the list"),
        (EdgeFacts(CDN, TODAY), "around-cdn", "unknown whether"),
        (EdgeFacts(ALB, TODAY, health=200), "balancer-health", "ok /healthz answers 200 for any host"),
        (EdgeFacts(ALB, TODAY, health=404), "balancer-health", "wrong /healthz answers 404: a load balancer leaves"),
        (EdgeFacts(ALB, TODAY), "balancer-health", "wrong /healthz gets no answer"),
        (EdgeFacts(ALB, TODAY, health=503, drained=True), "balancer-health", "this host is in maintenance"),
        (EdgeFacts(Behind(ALB.trusted), TODAY), "balancer-health", "wrong a load balancer that asks '/'"),
        (EdgeFacts(Behind(ALB.trusted), TODAY, health=301), "balancer-health", "gets 301, and would call it unhealthy"),
    ],
)
def test_what_is_in_front(facts: EdgeFacts, name: str, words: str) -> None:
    assert words in shown(judge_edge(facts))[name]


def test_nothing_is_said_where_nothing_is_in_front() -> None:
    assert judge_edge(EdgeFacts(None, TODAY)) == []
    assert "balancer-health" not in shown(judge_edge(EdgeFacts(CDN, TODAY, health=None)))
    assert "balancer-health" not in shown(judge_edge(EdgeFacts(ALB, TODAY, running=False)))


# Recorded output of the programs

NFT_DEBIAN = """\
table inet filter {
\tchain input {
\t\ttype filter hook input priority filter; policy drop;
\t\tct state established,related accept
\t\ttcp dport { 22, 80, 443 } accept
\t}

\tchain forward {
\t\ttype filter hook forward priority filter; policy drop;
\t\tct state established,related accept
\t}
}
"""
NFT_DOCKER = """\
table ip filter {
\tchain DOCKER {
\t\tip daddr 172.18.0.2 iifname != "br-1" oifname "br-1" tcp dport 80 counter packets 0 bytes 0 accept
\t}

\tchain FORWARD {
\t\ttype filter hook forward priority filter; policy drop;
\t\tcounter packets 0 bytes 0 jump DOCKER-USER
\t\toifname "docker0" counter packets 0 bytes 0 jump DOCKER
\t}
}
"""
UFW = """\
Status: active

To                         Action      From
--                         ------      ----
22/tcp                     ALLOW       Anywhere
"""
UFW_CLOUDFLARE = f"{UFW}80,443/tcp                 ALLOW       173.245.48.0/20\n"
ZONES = "docker\n  interfaces: docker0 br-1\npublic\n  interfaces: eth0\n"
LABEL = "system_u:object_r:user_home_t:s0"
OPTIONS = '["name=seccomp,profile=default","name=selinux"]'


@pytest.mark.parametrize(
    ("facts", "name", "words"),
    [
        (SystemFacts(service="enabled\n"), "engine-boot", "ok systemd starts Docker"),
        (SystemFacts(service="disabled\n"), "engine-boot", "wrong systemd does not start Docker"),
        (
            SystemFacts(nftables=NFT_DEBIAN + NFT_DOCKER),
            "firewall",
            "wrong nftables: the chain forward of the table inet filter",
        ),
        (SystemFacts(ufw=UFW), "firewall", "ok ufw is active; Docker publishes the ports 80 and 443 past it"),
        (SystemFacts(ufw=UFW_CLOUDFLARE), "firewall", "wrong ufw limits the ports 80 and 443 to some sources"),
        (SystemFacts(firewalld=ZONES), "firewall", "ok firewalld is active"),
        (
            SystemFacts(firewalld="public\n  interfaces: eth0\n"),
            "firewall",
            "wrong firewalld is active without Docker's zone",
        ),
        (
            SystemFacts(selinux="Enforcing\n", engine_options=OPTIONS, label=LABEL, folder="/srv/nginx"),
            "selinux",
            "wrong SELinux keeps",
        ),
        (
            SystemFacts(
                selinux="Enforcing\n", engine_options=OPTIONS, label=LABEL.replace("user_home", "container_file")
            ),
            "selinux",
            "ok SELinux lets",
        ),
    ],
)
def test_what_the_host_keeps_from_the_proxy(facts: SystemFacts, name: str, words: str) -> None:
    assert words in shown(judge_system(facts))[name]


@pytest.mark.parametrize(
    "facts",
    [
        SystemFacts(),
        SystemFacts(service="Failed to get unit file state"),
        SystemFacts(nftables=NFT_DOCKER),
        SystemFacts(ufw="Status: inactive\n"),
        SystemFacts(selinux="Permissive\n", engine_options=OPTIONS, label=LABEL),
        SystemFacts(selinux="Enforcing\n", engine_options='["name=seccomp"]', label=LABEL),
    ],
)
def test_nothing_is_said_of_what_is_not_there(facts: SystemFacts) -> None:
    assert judge_system(facts) == []
