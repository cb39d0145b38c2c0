"""A stack that an earlier version made, kept without its keys: what users have is what this version meets."""
