"""Conversations made together with their participants, who are added in the background."""
