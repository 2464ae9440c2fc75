"""Deletion of conversations with their participants, messages and webhooks."""
