"""What is broken on purpose, on the real engine: ``python -m tests.faults``."""
