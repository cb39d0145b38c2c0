"""Reads what a hand-written HAProxy configuration serves; pure."""
