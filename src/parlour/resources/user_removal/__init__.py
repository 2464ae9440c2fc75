"""Deletion of users with their memberships."""
