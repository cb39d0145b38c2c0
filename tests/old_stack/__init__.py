"""A stack made by an earlier version, stored without its keys, to test the upgrade to this version."""
