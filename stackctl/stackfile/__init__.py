"""docker-compose.yml to model and back: every error with its line, every edit only where it must be."""
