"""User conversations: a conversation as one of its users sees it."""
