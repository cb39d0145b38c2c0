"""Looks for ``stackctl doctor``: each module gathers the facts that one of ``diagnose`` judges."""
