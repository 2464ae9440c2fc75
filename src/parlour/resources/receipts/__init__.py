"""Delivery receipts: what became of a message at a recipient outside the chat."""
