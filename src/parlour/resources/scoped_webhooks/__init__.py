"""Webhooks of one conversation."""
