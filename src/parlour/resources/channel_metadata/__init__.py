"""Channel metadata of messages."""
