"""Removal of users with their memberships."""
