"""The webhook configuration of a service, which replaces the one of its account."""
