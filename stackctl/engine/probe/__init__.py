"""Probe the stack: each module collects the facts that one module of ``diagnose`` checks."""
