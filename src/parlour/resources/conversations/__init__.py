"""Conversations: what participants and messages belong to."""
