"""Conversations created with their participants, who are added in the background."""
