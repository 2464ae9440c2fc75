"""Resets: everything of an account, or of the server, is removed between two tests."""
