"""The source of certificates that the user imported: nothing is requested anywhere."""
