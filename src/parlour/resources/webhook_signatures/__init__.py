"""Signatures of webhooks, for unit tests of receivers."""
