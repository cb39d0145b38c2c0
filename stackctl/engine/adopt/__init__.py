"""Somebody else's stack: gathered, and its proxy replaced."""
