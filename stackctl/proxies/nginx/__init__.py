"""nginx: the files it is given, and what is known of files that are live."""
