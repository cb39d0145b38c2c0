"""The source of certificates that the stack's own CA issues, for development."""
