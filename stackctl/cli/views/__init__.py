"""Shows the payloads of commands as text: a module per payload that has more to show than operations."""
