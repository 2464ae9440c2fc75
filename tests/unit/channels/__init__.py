"""Carriers without a server."""
