"""The observed state of a stack and its network, and the ports that read and change it."""
