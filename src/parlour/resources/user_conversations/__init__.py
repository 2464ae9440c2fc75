"""User conversations: conversations from the perspective of one user."""
