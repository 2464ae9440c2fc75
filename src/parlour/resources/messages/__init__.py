"""Messages: what is said in a conversation."""
