"""What the pages show, from the payloads of use cases; pure."""
