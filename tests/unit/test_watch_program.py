"""The program for metrics and alerts, as the certbot container runs it: from the files that stackctl writes."""

from __future__ import annotations

import ast
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Thread

import pytest

from stackctl.adapters.fakes.certbot import FakeCa
from stackctl.certs.watch.news import PROBLEM, Message
from stackctl.certs.watch.send import request, send, send_all
from stackctl.certs.watch.settings import Receiver, Watched, written
from stackctl.certs.watch_files import watch_files, watch_settings
from stackctl.model.layout import WATCH_PROGRAM
from tests.unit import build
from tests.unit.receivers import Received, mail_receiver, web_receiver
from tests.unit.servers import NAME, listening, refusing, silent

NOW = datetime.now(UTC)
MESSAGE = Message(PROBLEM, "shop: a.example.com: “ends”", "- a.example.com: ends\n- b: ends")
NOWHERE = Path("/nonexistent")


def webhook(received: Received, identity: str = "hook") -> Receiver:
    return Receiver(identity, "http://receiver", "webhook", f"{received.url}/secret-path")


# Sending


@pytest.fixture
def web() -> Iterator[Received]:
    with web_receiver() as received:
        yield received


def reason(receiver: Receiver) -> str | None:
    return send_all({"one": partial(send, receiver, MESSAGE, NOWHERE)})["one"]


def test_a_webhook_gets_json(web: Received) -> None:
    assert reason(webhook(web)._replace(user="u", password="p:ü")) is None
    assert web.paths == ["POST /secret-path"]
    (body,) = web.bodies
    text = f"{MESSAGE.title}\n{MESSAGE.text}"
    assert body == {"version": "1", "title": MESSAGE.title, "message": MESSAGE.text, "type": "failure", "text": text}
    assert web.headers[0]["Authorization"].startswith("Basic ")


def test_ntfy_gets_its_topic_and_a_token(web: Received) -> None:
    assert reason(Receiver("n", "ntfy", "ntfy", f"{web.url}/", "shop", password="tk_x")) is None
    assert web.paths == ["POST /"]
    assert (web.bodies[0]["topic"], web.bodies[0]["priority"]) == ("shop", 4)
    assert web.headers[0]["Authorization"] == "Bearer tk_x"


def mail(port: int, user: str | None = None) -> Receiver:
    return Receiver("m", "m", "smtp", user=user, host="127.0.0.1", port=port, sender="s@x.example", to=("a@x.example",))


def test_an_e_mail_is_one() -> None:
    with mail_receiver() as (port, mails):
        assert reason(mail(port)) is None
        assert reason(mail(port, "u")) == "the mail server offers no TLS, without which no password is sent"
    (text,) = mails
    head, _, body = text.partition("\r\n\r\n")
    assert "Auto-Submitted: auto-generated" in head
    assert "To: a@x.example" in head
    assert body.splitlines() == MESSAGE.text.splitlines()


@pytest.mark.parametrize("status", [302, 401, 500])
def test_only_success_is_success_and_no_redirect_is_followed(web: Received, status: int) -> None:
    web.status = status
    assert reason(webhook(web)) == f"it answers {status}"
    assert web.paths == ["POST /secret-path"]


def test_reasons_quote_no_address() -> None:
    hook = Receiver("x", "x", "webhook")
    with refusing() as closed:
        refused = reason(hook._replace(url=f"http://127.0.0.1:{closed.port}/secret"))
    assert refused == "Connection refused"
    assert reason(hook._replace(url="http://nowhere.invalid/secret")) == "its name cannot be resolved"
    assert "secret" not in (reason(hook._replace(url="http://127.0.0.1/se cret")) or "secret")


def test_one_that_hangs_holds_up_no_other(web: Received) -> None:
    with silent() as at:
        hangs = partial(send, Receiver("h", "h", "webhook", f"http://127.0.0.1:{at.port}/"), MESSAGE, NOWHERE)
        began = time.monotonic()
        found = send_all({"hangs": hangs, "works": partial(request, f"{web.url}/x", NOWHERE)}, 0.5)
        assert time.monotonic() - began < 5
    assert found == {"hangs": "it does not answer in time", "works": None}


# The files


def test_the_program_is_one_for_old_pythons() -> None:
    files = watch_files(build.stack(build.site(NAME)), "shop")
    program = {path: body for path, body in files.items() if path.startswith(WATCH_PROGRAM.path)}
    assert f"{WATCH_PROGRAM.path}/__main__.py" in program
    for path, body in program.items():
        ast.parse(body, path, feature_version=(3, 9))


class Container:
    """The folders of the certbot container, and a proxy on ports of its own."""

    def __init__(self, root: Path) -> None:
        self.root, self.ca = root, FakeCa()
        stack = build.stack(build.site(NAME))
        for path, body in watch_files(stack, "shop").items():
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(body)
        for folder in ("conf/live", "deploy/pairs/lineages", "nginx", "metrics"):
            (root / folder).mkdir(parents=True)
        self.settings = watch_settings(stack, "shop")._replace(proxy="127.0.0.1", http=1, https=1)
        self.settings = self.settings._replace(sites=(Watched(NAME, NAME, NAME, NAME, False),))
        self.pem = root / "served.pem"

    def issue(self, days: float, life: float = 90) -> None:
        """Put a certificate on disk, and serve it."""
        ca = FakeCa(timedelta(days=days))
        chain, key = ca.issue([NAME], NOW)
        if life > days:
            chain, key = FakeCa(timedelta(days=life)).issue([NAME], NOW - timedelta(days=life - days))
        folder = self.root / "deploy/pairs/lineages" / NAME
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "cert.pem").write_bytes(chain)
        self.pem.write_bytes(key + chain)

    def look(self, *words: str) -> subprocess.CompletedProcess[str]:
        (self.root / "data/watch/settings.json").write_text(written(self.settings))
        places = (
            "conf",
            "deploy",
            "nginx",
            "metrics/stackctl.prom",
            "data/watch/settings.json",
            "data/watch/state.json",
            "bundle",
        )
        command = [
            sys.executable,
            "-I",
            "-B",
            str(self.root / WATCH_PROGRAM.path),
            *(str(self.root / one) for one in places),
        ]
        return subprocess.run([*command, *(words or ("look",))], capture_output=True, text=True, timeout=60, check=True)

    @property
    def metrics(self) -> list[str]:
        return (self.root / "metrics/stackctl.prom").read_text().splitlines()


@pytest.fixture
def container(tmp_path: Path) -> Iterator[Container]:
    made = Container(tmp_path)
    made.issue(60)

    def answer(connection: object) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(made.pem)
        with suppress(OSError), context.wrap_socket(connection, server_side=True) as secure:  # type: ignore[arg-type]
            secure.recv(1)

    with listening(answer) as at:
        made.settings = made.settings._replace(https=at.port)
        yield made


def test_metrics_come_without_stackctl(container: Container) -> None:
    (container.root / "deploy/succeeded").write_text("1785542400\n")
    container.look()
    assert f'stackctl_certificate_on_wire{{stack="shop",name="{NAME}"}} 1' in container.metrics
    assert 'stackctl_loop_last_success_timestamp_seconds{stack="shop",loop="renew"} 1785542400' in container.metrics
    assert (container.root / "metrics/stackctl.prom").stat().st_mode & 0o777 == 0o644
    assert [path.name for path in (container.root / "metrics").iterdir()] == ["stackctl.prom"]


def test_an_end_that_is_near_is_one_message_and_its_renewal_another(container: Container, web: Received) -> None:
    container.settings = container.settings._replace(receivers=(webhook(web),))
    container.issue(5)
    for _ in range(3):
        assert container.look().stderr == ""
    assert [body["type"] for body in web.bodies] == ["failure"]
    assert f"{NAME}: its certificate ends on" in web.bodies[0]["message"]
    container.issue(90)
    for _ in range(2):
        container.look()
    assert [body["type"] for body in web.bodies] == ["failure", "success"]


def test_a_receiver_that_was_down_is_tried_again(container: Container, web: Received) -> None:
    container.settings = container.settings._replace(receivers=(webhook(web),))
    container.issue(5)
    web.status = 503
    done = container.look()
    assert done.stderr == "alerts: http://receiver: it answers 503\n"
    assert 'stackctl_alert_receivers_failing{stack="shop"} 1' in container.metrics
    web.status = 200
    container.look()
    container.look()
    assert len(web.bodies) == 2
    assert 'stackctl_alert_receivers_failing{stack="shop"} 0' in container.metrics


def test_a_round_is_pinged_with_its_code_and_a_look_is_not(container: Container, web: Received) -> None:
    container.settings = container.settings._replace(ping=f"{web.url}/check")
    for words in (("round", "0"), ("look",), ("round", "1")):
        container.look(*words)
    assert web.paths == ["GET /check/0", "GET /check/1"]


def test_a_test_says_who_took_the_message(container: Container, web: Received) -> None:
    container.settings = container.settings._replace(receivers=(webhook(web), Receiver("a", "slack://…", "apprise")))
    assert container.look("test").stdout == '[["http://receiver", null]]\n'
    assert web.bodies[0]["type"] == "info"


def test_what_is_missing_or_damaged_stops_nothing(container: Container, web: Received) -> None:
    container.settings = container.settings._replace(receivers=(webhook(web),))
    shutil.rmtree(container.root / "nginx")
    (container.root / "deploy/pairs/lineages" / NAME / "cert.pem").write_text("-----BEGIN CERTIFICATE-----\nx")
    (container.root / "deploy/failed").write_text(
        f"1 1 x\n{NAME}  y\n\nFailed to renew certificate {NAME} with error: \x1b[2J\n"
    )
    (container.root / "deploy/refused").write_bytes(b"\xff\xfe: \x00\n")
    (container.root / "data/watch/state.json").write_text("[")
    shutil.rmtree(container.root / "metrics")
    assert container.look().stderr == ""
    assert len(web.bodies) == 1
    assert "\x1b" not in web.bodies[0]["message"]


def test_two_looks_at_once_send_one_message(container: Container, web: Received) -> None:
    container.settings = container.settings._replace(receivers=(webhook(web),))
    container.issue(5)
    threads = [Thread(target=container.look, args=words) for words in (("round", "0"), ("round", "0"), ("look",))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(web.bodies) == 1


def test_what_could_not_be_remembered_is_not_sent_at_each_look(container: Container, web: Received) -> None:
    container.settings = container.settings._replace(receivers=(webhook(web),), ping=f"{web.url}/check")
    container.issue(5)
    (container.root / "data/watch/state.json").mkdir()
    for _ in range(2):
        assert "none is sent" in container.look("round", "0").stderr
    assert web.paths == ["GET /check/0"] * 2
