"""The server itself: its version, its address, and what it can do."""
