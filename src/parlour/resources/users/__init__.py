"""Users: the chat identities of a service."""
