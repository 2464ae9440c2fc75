"""Summaries of conversations: what a list of them shows, in one request."""
