"""Collect the facts of a foreign stack, and replace its proxy."""
