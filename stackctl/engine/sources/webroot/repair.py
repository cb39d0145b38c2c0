"""Mend lineages of certbot's tree in the certbot container, without a CA."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from stackctl.certs.issuer import program
from stackctl.certs.renewal import renewal_text
from stackctl.engine.context import Context
from stackctl.errors import EngineError, StackctlError
from stackctl.model.layout import CERTBOT_CONF
from stackctl.model.stack import Stack


def repair_lineages(context: Context, stack: Stack, lineages: Sequence[str]) -> list[StackctlError | None]:
    """Mend ``lineages``, and return the error of each, in order."""
    tree = context.directory.certbot_tree()
    jobs = []
    for name in lineages:
        one = tree.lineage(name)
        certificate = one.repaired or one.certificate
        names = certificate.names if certificate else ()
        acme = stack.acme_of(*(site for site in stack.sites if site.lineage == name))
        jobs.append({"lineage": name, "conf": renewal_text(name, names, acme), "server": acme.directory})
    return _run(context, stack, {"repairs": jobs}, lineages, "repaired")


def remove_lineage(context: Context, stack: Stack, lineage: str) -> None:
    """Remove all files of a lineage, under certbot's lock.

    Raises:
        EngineError: they are still there.
    """
    (error,) = _run(context, stack, {"removals": [{"lineage": lineage}]}, [lineage], "removed")
    if error is not None:
        raise error


def _run(
    context: Context, stack: Stack, spec: dict[str, Any], lineages: Sequence[str], done: str
) -> list[StackctlError | None]:
    """Run the program in the certbot container, and return the error of each lineage without the event ``done``."""
    hint = "run the same command again"
    errors: dict[str, StackctlError | None] = {
        name: EngineError(f"{name} is not {done}: the program in the certbot container ended early", hint=hint)
        for name in lineages
    }
    text = program.text({"config_dir": CERTBOT_CONF.mount, **spec})
    for line in context.containers.stream(stack.certbot, program.COMMAND, text):
        try:
            event = json.loads(line)
            kind, detail = event["event"], event.get("detail")
        except (ValueError, KeyError, TypeError):
            kind, event, detail = "note", {}, line
        if kind == done:
            errors[event["lineage"]] = None
        elif kind == "failed":
            hint = f"restore it from a backup, or run 'stackctl doctor {event['lineage']}'"
            errors[event["lineage"]] = EngineError(f"{event['lineage']}: {detail}", hint=hint)
        elif detail:
            context.report.note(str(detail))
    return [errors[name] for name in lineages]
