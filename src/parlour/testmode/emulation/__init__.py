"""Emulation: properties of the hosted API that a test switches on for an account."""
