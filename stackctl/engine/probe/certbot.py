"""Gathers what :mod:`stackctl.diagnose.certbot` judges, by a small program inside the container."""

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
import json, os, socket, ssl, sys, urllib.error, urllib.request
host, url = sys.argv[1:]
told = {"addresses": None, "status": None, "problem": None}
try:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    told["addresses"] = sorted({at[4][0] for at in found})
    context = ssl.create_default_context(cafile=os.environ.get("REQUESTS_CA_BUNDLE") or None)
    with urllib.request.urlopen(url, timeout=8, context=context) as answer:
        told["status"] = answer.status
except urllib.error.HTTPError as error:
    told["status"] = error.code
except urllib.error.URLError as error:
    told["problem"] = str(error.reason)
except (OSError, ValueError) as error:
    told["problem"] = str(error)
print(json.dumps(told))
"""
"""Prints what one look at the CA showed, as one line of JSON."""


def certbot(context: Context, stack: Stack, containers: Deployment) -> CertbotFacts:
    """What certbot's container sees of the CA."""
    service, directory = stack.certbot, stack.acme.directory
    ca = urlsplit(directory).hostname or ""
    running = containers.running(service)
    if running is None:
        found = containers.of(service)
        return CertbotFacts(service, directory, ca, found[0].state if found else None)
    try:
        done = context.containers.execute(running.id, ["python3", "-c", PROGRAM, ca, directory])
        told: dict[str, Any] = json.loads(done.text.splitlines()[-1])
    except StackctlError as error:
        return CertbotFacts(service, directory, ca, running.state, exec_problem=error.message)
    except (ValueError, IndexError):
        return CertbotFacts(service, directory, ca, running.state, exec_problem=done.text.strip() or "it says nothing")
    addresses = tuple(told["addresses"] or ())
    return CertbotFacts(service, directory, ca, running.state, addresses, told["status"], told["problem"])
