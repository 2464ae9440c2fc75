"""Participant conversations: the conversations that an identity or an address is in."""
