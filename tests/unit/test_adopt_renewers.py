"""What renewed the certificates of a stack before stackctl is found and named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stackctl.adopt.renewers import is_renewer, renewers, scripts_of
from stackctl.engine.adopt import renewers as search

JOIN = "cat /etc/letsencrypt/live/$d/fullchain.pem /etc/letsencrypt/live/$d/privkey.pem > /certs/$d.pem"
CRON = """\
# certbot renew is not run here
SHELL=/bin/sh
30 2 * * 1 /usr/local/sbin/renewal >> /var/log/le-renewal.log
0 0 * * * root /usr/bin/certbot -q renew
5 5 * * * root /usr/bin/backup
"""


def test_what_renews_is_named() -> None:
    found = renewers(
        {"/etc/crontab": CRON}, {"/usr/local/sbin/renewal": f"#!/bin/sh\n{JOIN}\n", "/usr/bin/backup": "x\n"}
    )
    assert [one.line.partition(": stackctl")[0] for one in found] == [
        "/etc/crontab:3: the job '30 2 * * 1 /usr/local/sbin/renewal >> /var/log/le-renewal.log'",
        "/etc/crontab:4: the job '0 0 * * * root /usr/bin/certbot -q renew'",
        f"/usr/local/sbin/renewal:2: the script '{JOIN}'",
    ]


def test_the_programs_of_jobs_are_known() -> None:
    assert scripts_of([CRON])[:2] == ("/usr/local/sbin/renewal", "/var/log/le-renewal.log")


@pytest.mark.parametrize(
    ("command", "renews"),
    [
        ("/opt/letsencrypt/letsencrypt-auto certonly --renew-by-default", True),
        ("acme.sh --cron", True),
        ("lego --email a run renew", True),
        (JOIN, True),
        ("haproxy -W -f /etc/haproxy/haproxy.cfg", False),
        ("tail -f /var/log/letsencrypt.log", False),
        ("cat a.pem b.pem", False),
    ],
)
def test_a_command_that_renews_is_recognized(command: str, renews: bool) -> None:
    assert is_renewer(command) is renews


def test_the_tables_and_the_timers_of_the_host_are_read(tmp_path: Path) -> None:
    host, stack = tmp_path / "host", tmp_path / "stack"
    for path, text in {"etc/cron.d/certbot": "0 0 * * * root certbot renew\n", "usr/local/sbin/renewal": JOIN,
                       "var/spool/cron/crontabs/root": "1 1 * * * /usr/local/sbin/renewal\n",
                       "etc/cron.daily/binary": "certbot renew\0"}.items():  # fmt: skip
        (host / path).parent.mkdir(parents=True, exist_ok=True)
        (host / path).write_text(text)
    renewal = host / "etc/letsencrypt/renewal/a.example.com.conf"
    assert search._tree_of_host(host) == ()
    renewal.parent.mkdir(parents=True)
    renewal.write_text("[renewalparams]\n")
    (hint,) = search._tree_of_host(host)
    assert "'stackctl adopt --letsencrypt /etc/letsencrypt'" in hint.text
    wants = host / "etc/systemd/system/timers.target.wants"
    wants.mkdir(parents=True)
    (wants / "certbot.timer").symlink_to("/lib/systemd/system/certbot.timer")
    (stack / "bin").mkdir(parents=True)
    (stack / "bin/renew.sh").write_text("certbot renew\n")

    class Directory:
        root = stack

    class Fake:
        directory = Directory()

    context: Any = Fake()
    found = search.host_renewers(context, host)
    assert [one.at or one.text.partition(":")[0] for one in found] == [
        "/etc/cron.d/certbot:1",
        "/var/spool/cron/crontabs/root:1",
        "/usr/local/sbin/renewal:1",
        "bin/renew.sh:1",
        "certbot.timer",
    ]
