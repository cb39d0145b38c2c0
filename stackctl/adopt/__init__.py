"""Stacks that somebody else's script made: what they mean, as values; pure."""
