"""Participants: who is in a conversation, and how each one is reached."""
