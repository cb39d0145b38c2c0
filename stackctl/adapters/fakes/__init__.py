"""In-memory fakes of the engine, the wire and the network for tests: the second implementation of each port."""
