"""nginx: its files, and how a request passes through them."""
