"""Operators: the keys of those who run the server."""
