"""Test mode: its start, its functions over REST, and what a server without it has of them."""
