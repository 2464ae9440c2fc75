"""Scoped webhooks: webhooks of one conversation."""
