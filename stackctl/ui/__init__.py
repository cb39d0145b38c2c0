"""The page in the browser: reads the stack, and makes the changes that commands make."""
