"""Maintenance of a whole store: backup, restore, and the move from SQLite to PostgreSQL."""
