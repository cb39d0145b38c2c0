"""The engine of today: Compose for its own files, the Docker SDK for the rest."""
