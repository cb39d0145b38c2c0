"""Mend lineages of certbot's tree in the certbot container, without a CA."""

from __future__ import annotations

import json
from collections.abc import Sequence

from stackctl.certs.issuer import program
from stackctl.certs.renewal import renewal_text
from stackctl.engine.context import Context
from stackctl.errors import EngineError, StackctlError
from stackctl.model.layout import CERTBOT_CONF
from stackctl.model.stack import Stack


def repair_lineages(context: Context, stack: Stack, lineages: Sequence[str]) -> list[StackctlError | None]:
    """Mend ``lineages``, and return the error of each, in order."""
    found = {name: context.directory.lineage(name) for name in lineages}
    jobs = []
    for name, one in found.items():
        certificate = one.repaired or one.certificate
        names = certificate.names if certificate else ()
        conf = renewal_text(name, names, stack.acme)
        jobs.append({"lineage": name, "conf": conf, "server": stack.acme.directory})
    spec = {"config_dir": CERTBOT_CONF.mount, "repairs": jobs}
    errors: dict[str, StackctlError | None] = {
        name: EngineError(f"{name}: the certbot container did not repair it", hint="run the same command again")
        for name in lineages
    }
    for line in context.containers.stream(stack.certbot, program.COMMAND, program.text(spec)):
        try:
            event = json.loads(line)
            kind, detail = event["event"], event.get("detail")
        except (ValueError, KeyError, TypeError):
            kind, event, detail = "note", {}, line
        if kind == "repaired":
            errors[event["lineage"]] = None
        elif kind == "failed":
            hint = f"restore it from a backup, or run 'stackctl doctor {event['lineage']}'"
            errors[event["lineage"]] = EngineError(f"{event['lineage']}: {detail}", hint=hint)
        elif detail:
            context.report.note(str(detail))
    return [errors[name] for name in lineages]
