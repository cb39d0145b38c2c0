"""What a client sees: the published ports from this host, and resolvers and servers elsewhere."""
