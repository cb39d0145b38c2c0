"""The stack directory: read, and written so that each thing is whole or not there."""
