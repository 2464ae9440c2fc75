"""The benchmark: what Parlour costs beside bare servers that do the same work."""
