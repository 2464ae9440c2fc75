"""Attacks by one client: other clients keep their latency and success, the server its memory."""
