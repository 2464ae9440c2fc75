"""Persistence: the engines, what they share, migrations, the event log and maintenance."""
