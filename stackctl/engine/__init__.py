"""The outside world: Docker, Compose, the disk and the wire. Observes and executes, decides nothing."""
