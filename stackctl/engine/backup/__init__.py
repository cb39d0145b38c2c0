"""Back up everything in a stack that cannot be recreated into one archive, and restore it."""
