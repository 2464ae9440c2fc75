"""Messages: the entries of a conversation."""
