"""The outside messaging world: what carries a message to a phone."""
