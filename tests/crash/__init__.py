"""Crashes: `kill -9` and power loss."""
