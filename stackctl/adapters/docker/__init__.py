"""The Docker engine: Compose for its own files, the Docker SDK for the rest."""
