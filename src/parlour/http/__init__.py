"""The HTTP edge: bytes to calls, outcomes to bytes."""
