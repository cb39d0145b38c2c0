"""Put any number of web apps on a Docker host behind one TLS proxy."""

__version__ = "0.1.0"
