"""Participants: the members of conversations, and how each one is reached."""
