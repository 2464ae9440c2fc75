"""Conversations: threads of messages with participants."""
