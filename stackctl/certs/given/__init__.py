"""Certificates and keys that a user gives: :mod:`parts` reads files, :mod:`pair` makes one verified pair of them."""
