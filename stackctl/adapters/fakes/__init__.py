"""The engine, the wire and the network in memory: for tests, and the second of each protocol."""
