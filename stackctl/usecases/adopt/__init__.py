"""``stackctl adopt``: surveys a foreign stack, proposes a plan, takes the stack over and gives it back."""
