"""Samples of webhooks: one signed request with example parameters, of which nothing is stored."""
