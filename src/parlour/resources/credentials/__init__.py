"""Push credentials: the keys with which an account sends push notifications."""
