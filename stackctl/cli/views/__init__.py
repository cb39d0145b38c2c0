"""Shows the payloads of commands as text: a module per command."""
