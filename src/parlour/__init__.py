"""Parlour: a self-hosted server of the Conversations API (v1)."""

__version__ = "0.1.0"
