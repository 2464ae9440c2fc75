"""Callbacks of carriers over HTTP: delivery reports and inbound messages."""
