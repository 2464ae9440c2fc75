"""Inbound messages in transactions: routing, auto-creation, opt-out keywords."""
