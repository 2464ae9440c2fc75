"""The realtime socket under load."""
