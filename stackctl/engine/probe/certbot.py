"""Collect the facts that :mod:`stackctl.diagnose.certbot` checks, with a small program inside the container."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from stackctl.diagnose.certbot import CertbotFacts
from stackctl.engine.context import Context
from stackctl.errors import StackctlError
from stackctl.model.stack import Stack
from stackctl.observed.containers import Deployment

PROGRAM = """
import http.client, json, os, socket, ssl, sys, threading, urllib.error, urllib.request
host, url, seconds = sys.argv[1:]
result = {"addresses": None, "status": None, "problem": None}
def end():
    print(json.dumps({**result, "problem": f"no answer within {seconds} s"}), flush=True)
    os._exit(0)
timer = threading.Timer(float(seconds), end)
timer.daemon = True
timer.start()
try:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    result["addresses"] = sorted({at[4][0] for at in found})
    context = ssl.create_default_context(cafile=os.environ.get("REQUESTS_CA_BUNDLE") or None)
    with urllib.request.urlopen(url, timeout=float(seconds), context=context) as answer:
        result["status"] = answer.status
except urllib.error.HTTPError as error:
    result["status"] = error.code
except urllib.error.URLError as error:
    result["problem"] = str(error.reason)
except (OSError, ValueError, http.client.HTTPException) as error:
    result["problem"] = str(error) or type(error).__name__
print(json.dumps(result))
"""
"""Sends one request to the CA and prints the result as one line of JSON, within the time that it is given."""

SECONDS = 10.0


def certbot(context: Context, stack: Stack, containers: Deployment) -> CertbotFacts:
    """Return the facts of the CA as seen from certbot's container."""
    service, directory = stack.certbot, stack.acme.directory
    ca = urlsplit(directory).hostname or ""
    running = containers.running(service)
    if running is None:
        found = containers.of(service)
        return CertbotFacts(service, directory, ca, found[0].state if found else None)
    try:
        done = context.containers.execute(running.id, ["python3", "-c", PROGRAM, ca, directory, f"{SECONDS:g}"])
        result: dict[str, Any] = json.loads(done.text.splitlines()[-1])
    except StackctlError as error:
        return CertbotFacts(service, directory, ca, running.state, exec_problem=error.message)
    except (ValueError, IndexError, RecursionError):
        return CertbotFacts(service, directory, ca, running.state, exec_problem=done.text.strip() or "no output")
    addresses = tuple(result["addresses"] or ())
    return CertbotFacts(service, directory, ca, running.state, addresses, result["status"], result["problem"])
