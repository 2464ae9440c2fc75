"""Conversation services: separate worlds of conversations, users and roles in one account."""
