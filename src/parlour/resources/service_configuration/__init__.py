"""The configuration of a service: its default roles, and whether reachability is enabled."""
