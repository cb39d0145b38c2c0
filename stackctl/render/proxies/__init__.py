"""One module per proxy; each says WHAT its files hold, its templates how they look."""
