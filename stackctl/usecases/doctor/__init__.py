"""``stackctl doctor``: collects the inputs of the checks and runs them."""
