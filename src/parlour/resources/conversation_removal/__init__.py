"""Removal of conversations with all that belongs to them."""
