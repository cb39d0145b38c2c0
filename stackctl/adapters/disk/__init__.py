"""Read and write the stack directory; every write is atomic."""
