"""Requests to the published ports of this host, to DNS resolvers, and to remote servers."""
