"""Clients that hold what a proxy gives them: for the end-to-end tests, and for ``make hostile``."""
