"""Pure checks: facts in, verdicts out. The engine collects the facts."""
