"""Execute a plan: the executor, the handlers of its operations, and the verification."""
