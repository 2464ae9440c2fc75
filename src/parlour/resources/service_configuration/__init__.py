"""The configuration of a service: its default roles, and whether it tells who is online."""
