"""One module for each command, named after it; what is slow to import is imported when the command runs."""
