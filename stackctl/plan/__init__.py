"""Plan the ordered operations that turn the observed state into the desired one: pure and printable."""
