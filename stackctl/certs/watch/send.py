"""Send a message: a POST to a webhook or to ntfy, or an e-mail. Reasons of failures hold no credentials."""

from __future__ import annotations

import base64
import http.client
import json
import smtplib
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import TYPE_CHECKING, Any

from stackctl.certs.watch.news import OVER, PROBLEM

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from stackctl.certs.watch.news import Message
    from stackctl.certs.watch.settings import Receiver

SECONDS = 10.0
"""How long one step of a conversation may take."""

WHOLE = 25.0
"""How long all of them may take together: who has not answered by then gets the message at the next look."""

_TYPES = {PROBLEM: "failure", OVER: "success"}
_TAGS = {PROBLEM: "warning", OVER: "white_check_mark"}
_NO_ANSWER = "it does not answer in time"
_NETWORK = {socket.gaierror: "its name cannot be resolved", TimeoutError: _NO_ANSWER}
_MAIL: Mapping[type[BaseException], str] = {
    smtplib.SMTPRecipientsRefused: "the mail server refuses the recipient",
    smtplib.SMTPNotSupportedError: "the mail server offers no TLS, without which no password is sent",
}


def send_all(jobs: Mapping[str, Callable[[], None]], seconds: float = WHOLE) -> dict[str, str | None]:
    """Run all jobs at once, and return for each why it failed, or None.

    A thread whose name resolution hangs cannot be ended: it is left behind, and ends with the process.
    """
    found: dict[str, str | None] = dict.fromkeys(jobs, _NO_ANSWER)

    def run(name: str, job: Callable[[], None]) -> None:
        found[name] = _reason(job)

    threads = [threading.Thread(target=run, args=pair, daemon=True) for pair in jobs.items()]
    for thread in threads:
        thread.start()
    end = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return dict(found)


def _reason(job: Callable[[], None]) -> str | None:
    """Return why a job fails, or None."""
    try:
        job()
    except (OSError, ValueError, http.client.HTTPException, smtplib.SMTPException) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        return why(error)
    return None


def why(error: BaseException) -> str:
    """Return what is wrong; the text of an exception is no part of it where it may quote an address."""
    inner = error.reason if type(error) is urllib.error.URLError else error
    if isinstance(inner, urllib.error.HTTPError):
        return f"it answers {inner.code}"
    if isinstance(inner, smtplib.SMTPResponseException):
        return f"the mail server answers {inner.smtp_code}"
    if isinstance(inner, smtplib.SMTPException):
        return _MAIL.get(type(inner), f"the mail server fails ({type(inner).__name__})")
    if isinstance(inner, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {inner.verify_message}"
    known = next((text for kind, text in _NETWORK.items() if isinstance(inner, kind)), None)
    return known or (inner.strerror if isinstance(inner, OSError) else None) or f"it fails ({type(inner).__name__})"


def send(receiver: Receiver, message: Message, bundle: Path) -> None:
    """Send a message; ``bundle`` are the roots of a private CA, if there are any.

    Raises:
        OSError, http.client.HTTPException, smtplib.SMTPException, ValueError: it was not taken.
    """
    if receiver.kind.startswith("smtp"):
        _mail(receiver, message, trust(bundle))
        return
    if receiver.kind == "ntfy":
        priority = 4 if message.kind == PROBLEM else 3
        body: Mapping[str, Any] = {"topic": receiver.topic, "title": message.title, "message": message.text}
        body = {**body, "priority": priority, "tags": [_TAGS.get(message.kind, "test_tube")]}
    else:
        body = {"version": "1", "title": message.title, "message": message.text}
        # Slack and Mattermost show "text".
        body = {**body, "type": _TYPES.get(message.kind, "info"), "text": f"{message.title}\n{message.text}"}
    headers = {"Content-Type": "application/json", "User-Agent": "stackctl"}
    request(receiver.url, bundle, json.dumps(body).encode(), {**headers, **_authorization(receiver)})


def request(url: str, bundle: Path, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> None:
    """Send a request, a POST if it has a body; only 2xx is success, and no redirect is followed.

    Raises:
        OSError, http.client.HTTPException, ValueError: there is no such answer.
    """
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=trust(bundle)),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    asked = urllib.request.Request(url, body, dict(headers or {}))  # noqa: S310  (stackctl accepts http and https only)
    with opener.open(asked, timeout=SECONDS) as response:
        response.read(1 << 16)


def trust(bundle: Path) -> ssl.SSLContext:
    """Return what servers are trusted by: the roots of the system, and those of a private CA."""
    context = ssl.create_default_context()
    if bundle.is_file():
        context.load_verify_locations(str(bundle))
    return context


def _authorization(receiver: Receiver) -> dict[str, str]:
    if receiver.password is None:
        return {}
    if receiver.user is None:
        return {"Authorization": f"Bearer {receiver.password}"}
    return {"Authorization": "Basic " + base64.b64encode(f"{receiver.user}:{receiver.password}".encode()).decode()}


def _mail(receiver: Receiver, message: Message, context: ssl.SSLContext) -> None:
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = message.title, receiver.sender, ", ".join(receiver.to)
    mail["Date"], mail["Message-ID"] = formatdate(), make_msgid(domain=receiver.sender.rpartition("@")[2])
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text)
    with _mail_server(receiver, context) as server:
        if receiver.user is not None:
            server.login(receiver.user, receiver.password or "")
        server.send_message(mail)


def _mail_server(receiver: Receiver, context: ssl.SSLContext) -> smtplib.SMTP:
    if receiver.kind == "smtps":
        return smtplib.SMTP_SSL(receiver.host, receiver.port, timeout=SECONDS, context=context)
    server = smtplib.SMTP(receiver.host, receiver.port, timeout=SECONDS)
    try:
        server.ehlo()
        if receiver.user is not None or server.has_extn("starttls"):
            server.starttls(context=context)  # it fails where the server has none
            server.ehlo()
    except BaseException:
        server.close()
        raise
    return server
