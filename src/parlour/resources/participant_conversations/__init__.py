"""Participant conversations: in which conversations an identity or an address takes part."""
