"""The values that describe a stack: frozen, each validated once, at the edge."""
