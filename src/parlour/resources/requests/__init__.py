"""The journal of requests of this process."""
