"""Implementations of the ports: Docker and Compose, the network, the disk, and fakes for tests."""
