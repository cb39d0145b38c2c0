"""What is wrong with a stack, and why: facts judged, purely; the engine gathers them."""
