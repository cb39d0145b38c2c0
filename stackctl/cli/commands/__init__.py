"""One module per command, named after it; slow imports are made when the command runs."""
