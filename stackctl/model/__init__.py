"""What a stack is: frozen values, each validated once, at the edge."""
