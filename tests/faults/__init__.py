"""Fault injection on a real engine: ``python -m tests.faults``."""
