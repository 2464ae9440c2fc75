"""Outbound HTTP: the only client, with its policy on addresses, limits and fair request slots."""
