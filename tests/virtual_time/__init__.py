"""Worlds in one process whose time is as quick as the processor."""
