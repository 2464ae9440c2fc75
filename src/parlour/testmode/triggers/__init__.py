"""Triggers: one real change for each post-action event, with the objects that it needs."""
