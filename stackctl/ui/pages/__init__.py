"""One module for each page: its routes, and the changes that its buttons request."""
