"""Unmodified SDKs and REST clients, and the checklists of the API, run against a real server."""
