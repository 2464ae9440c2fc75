"""Conversation services: isolated sets of conversations, users and roles in one account."""
