"""Backups: one archive of everything in a stack that cannot be made again, and the way back from it."""
