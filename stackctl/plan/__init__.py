"""Desired and observed state to an ordered list of operations: pure, and printable."""
