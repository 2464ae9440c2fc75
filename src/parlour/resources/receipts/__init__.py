"""Delivery receipts: the status of a message for each recipient outside the chat."""
