"""The webhook configuration of an account: URLs and events for all its services."""
