"""The benchmark: Parlour's cost compared with bare servers that do the same work."""
