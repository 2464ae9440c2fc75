"""Snapshots of an account or of the server in memory."""
