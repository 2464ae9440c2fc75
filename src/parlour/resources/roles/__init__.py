"""Roles: named sets of permissions for chat users and participants."""
