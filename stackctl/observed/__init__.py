"""What was seen of a stack and its surroundings, and the ports through which it is looked at and changed."""
