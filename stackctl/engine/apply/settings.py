"""Replace settings in certbot's tree with a small program inside the certbot container."""

from __future__ import annotations

import json
from collections.abc import Sequence

from stackctl.certs.issuer import program
from stackctl.engine.context import Context
from stackctl.errors import EngineError, StackctlError
from stackctl.model.layout import CERTBOT_CONF
from stackctl.model.stack import Stack
from stackctl.plan.certificates import AlignSettings, DisableHook


def change_settings(
    context: Context, stack: Stack, operations: Sequence[AlignSettings | DisableHook]
) -> list[StackctlError | None]:
    """Carry out all changes with one program, which holds certbot's lock meanwhile."""
    files = [
        {"path": one.path, "before": one.before, "content": one.content}
        for one in operations
        if isinstance(one, AlignSettings)
    ]
    hooks = [one.path for one in operations if isinstance(one, DisableHook)]
    spec = {"config_dir": CERTBOT_CONF.mount, "files": files, "hooks": hooks}
    ended: dict[str, str | None] = {}
    reason = "certbot's container reports no result"
    try:
        for line in context.containers.stream(stack.certbot, program.COMMAND, program.text(spec, program.SETTINGS)):
            try:
                result = json.loads(line)
                ended[result["path"]] = result["problem"]
            except (ValueError, KeyError, TypeError):
                reason = line.strip() or reason
    except EngineError as error:
        reason = error.message
    return [_error(one.path, ended.get(one.path, reason)) for one in operations]


def _error(path: str, problem: str | None) -> StackctlError | None:
    if problem is None:
        return None
    where = (CERTBOT_CONF / path).path
    return EngineError(f"not changed: {problem}", where=where, hint="run the same command again")
