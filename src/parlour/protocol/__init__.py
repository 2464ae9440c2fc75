"""The wire without I/O: bytes and texts in, values out; no clock, socket or database."""
