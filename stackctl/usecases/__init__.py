"""What each command does: load → edit → converge → Result. Nothing here prints, prompts or exits."""
